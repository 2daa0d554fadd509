"""What a page, a terminal answer or a folder is about: one run or several, each with whatever was measured of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from zerosum.missing import Missing

__all__ = ["Missing", "Report", "Run"]

R = TypeVar("R")


@dataclass(frozen=True)
class Run:
    """One run. name: untrusted. records: what was measured of it, at most one of each type.

    seed: runs that share a name and differ in it are one size, repeated.
    """

    name: str
    records: tuple[Any, ...] = ()
    seed: int | None = None

    def get(self, kind: type[R]) -> R | None:
        """Its record of a type, if there is one."""
        return next((record for record in self.records if isinstance(record, kind)), None)


@dataclass(frozen=True)
class Report:
    """Runs and what was measured across them. shared: records of no single run, such as comparisons.

    missing: what could not be read or measured. provenance: how all of it was made; values may be nested dicts.
    """

    title: str
    runs: tuple[Run, ...]
    shared: tuple[Any, ...] = ()
    missing: tuple[Missing, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def labels(self) -> list[str]:
        """What to call each run: its name, with its seed or a number where others share the name. Untrusted."""
        shared, seen = Counter(run.name for run in self.runs), Counter[str]()
        labels = []
        for run in self.runs:
            seen[run.name] += 1
            own = f"seed {run.seed}" if run.seed is not None else f"{seen[run.name]}"
            labels.append(f"{run.name} · {own}" if shared[run.name] > 1 else run.name)
        return labels

    @cached_property
    def sizes(self) -> list[str]:
        """What runs of one colour and panel share: the name, for seeds of one size; else its own label. Untrusted."""
        return [run.name if run.seed is not None else label for label, run in zip(self.labels, self.runs, strict=True)]

    def each(self, kind: type[R]) -> list[tuple[str, R]]:
        """(label of the run, record) of every run that has a record of this type, in order."""
        pairs = ((label, run.get(kind)) for label, run in zip(self.labels, self.runs, strict=True))
        return [(label, record) for label, record in pairs if record is not None]

    def only(self, kind: type[R]) -> R | None:
        """The record of this type where exactly one run has one; for sections that show a single run."""
        records = self.each(kind)
        return records[0][1] if len(records) == 1 else None

    def across(self, kind: type[R]) -> list[R]:
        """Records of no single run."""
        return [record for record in self.shared if isinstance(record, kind)]
