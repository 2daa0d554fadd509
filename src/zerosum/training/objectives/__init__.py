"""Training objectives, one file each: the file's name is the kind, its `OBJECTIVE` the class of its settings.

An objective changes what is trained; losses that are reported stay the unweighted cross-entropy.
"""

from typing import TYPE_CHECKING

from zerosum.training.kinds import Kinds

if TYPE_CHECKING:
    from zerosum.training.objective_settings import ObjectiveSettings

OBJECTIVES: "Kinds[ObjectiveSettings]" = Kinds("objective", __name__)
