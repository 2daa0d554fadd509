"""What a report on one run is made of."""

from dataclasses import dataclass, field
from typing import Any

from zerosum.deceleration import Analysis
from zerosum.gradients import GradientsOverTraining
from zerosum.interference.labelled import StoreFindings
from zerosum.missing import Missing as Missing


@dataclass(frozen=True)
class RunReport:
    """name: of the run, untrusted. analysis: of its loss curve. losses: of its tokens. missing: what is not there.

    gradients: of single tokens.
    """

    name: str
    analysis: Analysis | None
    losses: StoreFindings | None
    missing: tuple[Missing, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    gradients: GradientsOverTraining | None = None

    @property
    def all_missing(self) -> tuple[Missing, ...]:
        """What is not there, and what the store of losses does not allow."""
        gaps = self.losses.left_out if self.losses else ()
        return (*self.missing, *(Missing(gap.what, gap.why) for gap in gaps))
