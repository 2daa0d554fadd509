"""What one measurement of interference says: every number with its N, nulls and interval."""

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Interference:
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
