"""Ways to sort tokens into groups, one file each. A module here with a function `label` is a grouping of its name."""

from importlib import import_module
from pkgutil import iter_modules

from zerosum.errors import InputError
from zerosum.interference.labelled._change import Change
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels

__all__ = ["Labels", "grouping_names", "label"]


def grouping_names() -> list[str]:
    """Names of all groupings."""
    return [info.name.replace("_", "-") for info in iter_modules(__path__) if not info.name.startswith("_")]


def label(by: str, change: Change, text: TokenText | None = None) -> Labels:
    """Sort the tokens of a change into groups. text: decodes tokens, for the groupings that read them.

    Raises InputError for an unknown grouping, or where the store lacks what the grouping needs.
    """
    if by not in grouping_names():
        raise InputError(f"groups by {by!r}: not known. Use one of {', '.join(grouping_names())}.")
    module = import_module(f"{__name__}.{by.replace('-', '_')}")
    labels: Labels = module.label(change, text)
    return labels
