"""Optimizers, one file each: the file's name is the optimizer's name, its `OPTIMIZER` the class of its settings.

A new optimizer is a new file here and nothing else: recipes, `build_optimizer` and `zerosum step --optimizer` then
know it. Its class states the settings with defaults and ranges, builds the optimizer of torch, and describes what the
saved state of that optimizer holds. Importing this package loads neither torch nor pydantic.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.training.optimizer_settings import OptimizerSettings


def optimizer_names() -> tuple[str, ...]:
    """Names of all optimizers, sorted; nothing is imported."""
    return tuple(sorted(info.name for info in iter_modules(__path__) if not info.name.startswith("_")))


@cache
def settings_class(name: str) -> "type[OptimizerSettings]":
    """The class of settings of the optimizer `name`. Raises InputError where there is no such optimizer."""
    if name not in optimizer_names():
        raise InputError(f"optimizer {name!r}: not known. Choose one of {', '.join(optimizer_names())}.")
    settings: type[OptimizerSettings] = import_module(f"{__name__}.{name}").OPTIMIZER
    return settings
