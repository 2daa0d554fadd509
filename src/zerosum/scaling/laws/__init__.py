"""Laws of the loss, one file each. A module here with a `LAW` is a law of its name, hyphens for underscores."""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from pkgutil import iter_modules

from zerosum.errors import InputError
from zerosum.scaling.law import Law


def law_names() -> list[str]:
    """Names of all laws, sorted."""
    return sorted(info.name.replace("_", "-") for info in iter_modules(__path__) if not info.name.startswith("_"))


def require_known(name: str, known: Sequence[str]) -> None:
    """Raise InputError where a law has none of the known names, with the nearest one or all of them."""
    if name not in known:
        nearest = get_close_matches(name, known, n=1)
        advice = f"Did you mean {nearest[0]}?" if nearest else f"Choose one of {', '.join(known)}."
        raise InputError(f"law {name[:60]!r}: not known. {advice}")


def law(name: str) -> Law:
    """The law of a name. Raises InputError where there is none."""
    require_known(name, law_names())
    chosen: Law = import_module(f"{__name__}.{name.replace('-', '_')}").LAW
    return chosen
