"""What a report on loss logs is about."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from zerosum.deceleration import Analysis, Comparison
from zerosum.show.words import BREAKS


@dataclass(frozen=True)
class Logs:
    """analyses: one for each curve. comparisons: of pairs of them, where there are any."""

    analyses: tuple[Analysis, ...]
    comparisons: tuple[Comparison, ...] = ()

    @cached_property
    def names(self) -> list[str]:
        """What to call each curve: its name, numbered where others share it. Untrusted."""
        given = [one.fit.curve.name for one in self.analyses]
        shared, seen = Counter(given), Counter[str]()
        names = []
        for name in given:
            seen[name] += 1
            names.append(f"{name} · {seen[name]}" if shared[name] > 1 else name)
        return names

    @property
    def named(self) -> list[tuple[str, Analysis]]:
        """Each curve with its name."""
        return list(zip(self.names, self.analyses, strict=True))

    @property
    def levels(self) -> str:
        """Nominal coverage of the intervals, in percent."""
        return " and ".join(sorted({f"{100 * one.fit.interval_level:g}" for one in self.analyses}))

    @property
    def broken(self) -> list[tuple[str, Analysis]]:
        """Those with a break that may be shown."""
        return [(name, one) for name, one in self.named if one.fit.verdict in BREAKS]
