"""Optimizers, one file each: the file's name is the optimizer's kind, its `OPTIMIZER` the class of its settings.

A new optimizer is a new file here and nothing else: recipes, `build_optimizer` and `zerosum step --optimizer` then
know it. Its class states the settings with defaults and ranges, builds the optimizer of torch, and describes what the
saved state of that optimizer holds. Importing this package loads neither torch nor pydantic.
"""

from typing import TYPE_CHECKING

from zerosum.training.kinds import Kinds

if TYPE_CHECKING:
    from zerosum.training.optimizer_settings import OptimizerSettings

OPTIMIZERS: "Kinds[OptimizerSettings]" = Kinds("optimizer", __name__)
