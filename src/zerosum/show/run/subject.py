"""What a report on one run is made of."""

from dataclasses import dataclass, field
from typing import Any

from zerosum.deceleration import Analysis
from zerosum.interference.labelled import MeasuredGroups, PairInterference, StoreInterference
from zerosum.show.gradients.subject import GradientsOverTraining
from zerosum.show.run.heat import HeatMap


@dataclass(frozen=True)
class Missing:
    """What the page cannot show. why: in one line. command: what makes it, or nothing."""

    what: str
    why: str
    command: str = ""


@dataclass(frozen=True)
class GroupsOverTime:
    """One way to split the tokens, at every pair of sound checkpoints in which a loss moved."""

    by: str
    splits: tuple[tuple[PairInterference, MeasuredGroups], ...]

    @property
    def last(self) -> tuple[PairInterference, MeasuredGroups]:
        """The last pair and its groups."""
        return self.splits[-1]


@dataclass(frozen=True)
class TokenLosses:
    """What a store of per-token losses says. groups: each grouping that the store knows enough for.

    heat: the documents that moved most. facts: (what, how) the store was made. missing: groupings, documents.
    """

    found: StoreInterference
    groups: tuple[GroupsOverTime, ...]
    heat: HeatMap | None
    facts: tuple[tuple[str, str], ...]
    missing: tuple[Missing, ...] = ()

    @property
    def last(self) -> PairInterference:
        """The last pair of checkpoints, of those without a problem if there are any."""
        return self.found.last


@dataclass(frozen=True)
class RunReport:
    """name: of the run, untrusted. analysis: of its loss curve. losses: of its tokens. missing: what is not there.

    gradients: of single tokens.
    """

    name: str
    analysis: Analysis | None
    losses: TokenLosses | None
    missing: tuple[Missing, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    gradients: GradientsOverTraining | None = None
