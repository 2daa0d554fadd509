"""Sources of training data, one file each: the file's name is the kind, its `CORPUS` the class of its settings."""

from typing import TYPE_CHECKING

from zerosum.training.kinds import Kinds

if TYPE_CHECKING:
    from zerosum.training.corpus import CorpusSettings

CORPORA: "Kinds[CorpusSettings]" = Kinds("corpus", __name__)
