"""Where over training a dissent first reaches a level: step and loss, between which checkpoints."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

DISSENT_LEVELS = (0.9, 0.99)
Code = Literal["reached", "unknown", "at-first-checkpoint", "not-reached"]


@dataclass(frozen=True)
class Reached:
    """step, loss (nats per token): where the level is first reached; NaN where that is not known.

    code: whether it is reached, or why that is not known; `reason` says it in words. between: the checkpoints, by
    step, around it. stays: whether all later checkpoints are at the level or above.
    """

    level: float
    step: float = math.nan
    loss: float = math.nan
    between: tuple[int, int] | None = None
    stays: bool = False
    reason: str | None = None
    code: Code = "reached"

    def to_json(self) -> dict[str, Any]:
        """The same for scripts: null where there is no number."""
        document = asdict(self)
        del document["code"]
        if self.code != "reached":
            return {"level": self.level, "step": None, "loss": None, "between": None, "reason": self.reason}
        return {**document, "between": list(self.between or ())}


def first_reached(steps: Sequence[int], losses: Sequence[float], values: Sequence[float], level: float) -> Reached:
    """The first crossing of `level` from below, between two checkpoints that follow each other.

    Interpolated linearly in log step (in step from step 0), the loss (nats per token) at the same fraction of the way.
    steps: rising. values: dissent of each, NaN where it is not known, which is passed over.

    >>> crossing = first_reached([1, 4, 16], [6.0, 5.0, 4.0], [0.5, 0.8, 1.0], 0.9)
    >>> round(crossing.step, 9), crossing.loss, crossing.between, crossing.stays
    (8.0, 4.5, (4, 16), True)
    """
    known = [row for row in zip(steps, losses, values, strict=True) if math.isfinite(row[2])]
    at = next((k for k, (_, _, value) in enumerate(known) if value >= level), None)
    if at is None:
        return _not_reached(known, level)
    if at == 0:
        first = f"at the first checkpoint, step {known[0][0]:,}, it is {known[0][2]:.3f} already"
        why = f"{first}: reached before, or there from the beginning"
        return Reached(level, reason=why, code="at-first-checkpoint")
    (s0, l0, v0), (s1, l1, v1) = known[at - 1 : at + 1]
    way = (level - v0) / (v1 - v0)
    step = s0 * (s1 / s0) ** way if s0 > 0 else s0 + way * (s1 - s0)
    stays = all(value >= level for _, _, value in known[at:])
    return Reached(level, step, l0 + way * (l1 - l0), (s0, s1), stays)


def _not_reached(known: Sequence[tuple[int, float, float]], level: float) -> Reached:
    if not known:
        return Reached(level, reason="not known at any checkpoint", code="unknown")
    step, _, most = max(known, key=lambda row: row[2])
    places = next((k for k in range(3, 12) if round(most, k) < level), 12)
    return Reached(level, reason=f"not reached: at most {most:.{places}f}, at step {step:,}", code="not-reached")
