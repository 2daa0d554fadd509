"""One file for each file format. A module here that defines `FORMAT` is a reader; it is found by itself."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from zerosum.curves._format import Format


@cache
def known_formats() -> tuple[Format, ...]:
    """All readers of this folder, the most particular first."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    found: list[Format] = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return tuple(sorted(found, key=lambda form: (form.rank, form.name)))
