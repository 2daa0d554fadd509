"""Kinds of checkpoints, one file each. A module here that defines `KIND` is found without being registered."""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from zerosum.checkpoints._kind import Kind


@cache
def known_kinds() -> tuple[Kind, ...]:
    """All kinds in this folder, the most specific (lowest rank) first."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    kinds: list[Kind] = [module.KIND for module in modules if hasattr(module, "KIND")]
    return tuple(sorted(kinds, key=lambda kind: (kind.rank, kind.name)))


def kind_of(path: Path) -> Kind | None:
    """Kind of the checkpoint at a path, judged by its content; None where it is no checkpoint of a known kind."""
    return next((kind for kind in known_kinds() if kind.matches(path)), None)
