"""One file for each kind of checkpoint. A module here that defines `KIND` is a kind; nothing else has to know of it."""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from zerosum.checkpoints._kind import Kind


@cache
def known_kinds() -> tuple[Kind, ...]:
    """All kinds of this folder, the most particular first."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    found: list[Kind] = [module.KIND for module in modules if hasattr(module, "KIND")]
    return tuple(sorted(found, key=lambda kind: (kind.rank, kind.name)))


def kind_of(path: Path) -> Kind | None:
    """The kind of checkpoint that a file or folder is, by its content; None where it is none."""
    return next((kind for kind in known_kinds() if kind.matches(path)), None)
