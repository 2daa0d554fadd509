"""Kinds of something that are found by folder: optimizers, objectives, aggregators, schedules, sources of data.

Each is a folder of this package; each file in it is a kind, named like the file. Loads neither torch nor pydantic.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

from zerosum.errors import InputError

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Kinds(Generic[Settings]):
    """The kinds of something, one file each in a package. noun: what they are, for errors; package: its full name.

    The class of settings of each file is its attribute named like the noun, in capitals.
    """

    noun: str
    package: str

    def names(self) -> tuple[str, ...]:
        """Names of all kinds, sorted; nothing but the package is imported."""
        return _names(self.package)

    def settings(self, kind: str) -> type[Settings]:
        """The class of settings of a kind. Raises InputError where there is no such kind."""
        if kind not in self.names():
            nearest = get_close_matches(kind, self.names(), n=1)
            advice = f"Did you mean {nearest[0]}?" if nearest else f"Choose one of {', '.join(self.names())}."
            raise InputError(f"{self.noun} {kind!r}: not known. {advice}")
        settings: type[Settings] = getattr(import_module(f"{self.package}.{kind}"), self.noun.upper())
        return settings


@cache
def _names(package: str) -> tuple[str, ...]:
    path = import_module(package).__path__
    return tuple(sorted(info.name for info in iter_modules(path) if not info.name.startswith("_")))
