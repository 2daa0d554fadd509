"""The record of one measurement of interference: every number with its N, nulls and interval."""

from dataclasses import dataclass
from typing import Any

from zerosum.estimate import Estimate, numbers_or_reasons
from zerosum.record import Record

MEASURED = ("R", "D", "M", "delta_L", "harmful_share")
NUMBERS = (*MEASURED, "null", "null_unit", "excess")
"""Names of the numbers of one measurement; the first five have intervals."""


@dataclass(frozen=True)
class Interval:
    """Confidence intervals over resampling units, each (low, high); D's is R's folded.

    level: nominal coverage, 0.95 by default. n_units: sequences or documents resampled. method: how, in words.
    """

    R: tuple[float, float]
    D: tuple[float, float]
    M: tuple[float, float]
    delta_L: tuple[float, float]
    harmful_share: tuple[float, float]
    level: float
    n_units: int
    method: str

    def to_json(self) -> dict[str, Any]:
        """Both ends of each interval, and how they were made."""
        ends = {name: list(getattr(self, name)) for name in MEASURED}
        return {**ends, "level": self.level, "n_units": self.n_units, "method": self.method}


@dataclass(frozen=True, repr=False)
class Interference(Record):
    """Interference of N signed changes. Units are those of x (nats per token for losses); R and D have none.

    R: net ratio in [-1, 1]. D = 1 - |R|. M: mean |x|. delta_L: signed mean of x. harmful_share: (1 + R)/2.
    null, null_unit: what D would be were signs random per token, per unit. excess = D - null_unit.
    interval: None where it cannot be given; then interval_reason says why. reasons: field name -> why it is NaN.
    left_out: positions that were given and hold no change (NaN); N does not count them.
    """

    R: float
    D: float
    M: float
    delta_L: float
    harmful_share: float
    N: int
    null: float
    null_method: str
    null_unit: float
    null_unit_method: str
    excess: float
    interval: Interval | None
    interval_reason: str | None
    reasons: dict[str, str]
    left_out: int = 0

    def estimate(self, name: str) -> Estimate:
        """One of the numbers with its interval, N and unit; `name` is that of its attribute, see `NUMBERS`.

        M and delta_L are in nats per token, as losses are.
        """
        ends = getattr(self.interval, name) if self.interval and name in MEASURED else None
        missing = "" if ends else (self.interval_reason or "none is given for it")
        return Estimate(
            value=getattr(self, name),
            interval=ends,
            reason=self.reasons.get(name) or missing,
            N=self.N,
            of="tokens",
            unit="nats per token" if name in ("M", "delta_L") else "",
            level=self.interval.level if self.interval else 0.95,
            method=self.interval.method if ends and self.interval else "",
        )

    def to_json(self) -> dict[str, Any]:
        """Numbers, N, nulls and how they were made, interval or why there is none."""
        document = {
            "N": self.N,
            **numbers_or_reasons({name: getattr(self, name) for name in NUMBERS}, self.reasons),
            "null_method": self.null_method,
            "null_unit_method": self.null_unit_method,
        }
        if self.interval is None:
            return document | {"interval": None, "interval_reason": self.interval_reason or "not given"}
        return document | {"interval": self.interval.to_json()}
