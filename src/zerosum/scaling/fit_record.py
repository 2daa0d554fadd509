"""What a fit of a law says: parameters, how sure they are, and whether they are identified."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.scaling.fitted_law import FittedLaw
from zerosum.scaling.influence import Influence
from zerosum.scaling.profile import Profile
from zerosum.scaling.reason import Reason


@dataclass(frozen=True)
class Starts:
    """n searches. reached: how many ended within 1e-6 of the minimum. spread: range of each parameter among these."""

    n: int
    reached: int
    spread: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class LawFit(FittedLaw, Record):
    """A law fitted to a table, and how sure its parameters are.

    delta: of Huber's loss, None for squares. value: of the objective at the minimum. n_effective: independent points
    that would know as much as the n correlated ones. params: as published. verdict: whether the exponents and E are
    determined by these data.
    """

    form: str
    source: str
    objective: str
    delta: float | None
    value: float
    n: int
    n_sizes: int
    n_effective: float
    params: Mapping[str, Estimate]
    starts: Starts
    profiles: tuple[Profile, ...]
    influences: tuple[Influence, ...]
    verdict: Literal["identified", "not-identified"]
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "name": self.law,
            "form": self.form,
            "n": self.n,
            "n_runs": self.n_runs,
            "n_sizes": self.n_sizes,
            "n_effective": self.n_effective,
            "loss_unit": "nats per token",
            "N_is": self.table_fitted.N_is,
            "objective": self.objective,
            "objective_value": self.value,
            "delta": self.delta,
            "params": {name: estimate.to_json() for name, estimate in self.params.items()},
            "starts": {"n": self.starts.n, "reached": self.starts.reached, "spread": dict(self.starts.spread)},
            "profiles": [
                {"parameter": p.parameter, "interval": [None if math.isinf(end) else end for end in p.interval]}
                for p in self.profiles
            ],
            "leverage": [
                {
                    "parameter": one.parameter,
                    "run": self.table_fitted.run[one.row],
                    "row": one.row + 1,
                    "shift": one.shift,
                    "together": [self.table_fitted.run[k] for k in one.together],
                    "shift_together": one.shift_together,
                }
                for one in self.influences
            ],
            "verdict": self.verdict,
            "reasons": [vars(reason) for reason in self.reasons],
        }
