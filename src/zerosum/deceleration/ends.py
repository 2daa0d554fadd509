"""Where the losses of two runs are read: at the end of each log, however early its fit stops, and at equal training."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from zerosum.deceleration._prepare import PROCEDURES
from zerosum.deceleration._record import Fit
from zerosum.deceleration.observed import up_to
from zerosum.estimate import number_or_reason

SAME_END = 0.025  # log steps, half a log bin: two logs that end so close to each other end together
TOGETHER = "both logs end there"
NO_OVERLAP = "one log begins after the other ends"


@dataclass(frozen=True)
class Ends:
    """a, b: where each log ends, in steps or tokens. fitted_a, fitted_b: where its fit stops, at the end or before it.

    total: loss of b minus loss of a, each at the end of its log, nats. at_equal: the same at the last position that
    both logs have, which is `equal`; NaN where both end there, or where one log begins after the other ends.
    """

    a: float
    b: float
    fitted_a: float
    fitted_b: float
    total: float
    at_equal: float

    @property
    def equal(self) -> float:
        """The last position that both logs have, steps or tokens."""
        return min(self.a, self.b)

    @property
    def together(self) -> bool:
        """Whether both logs end at the same position."""
        return end_together(self.a, self.b)

    def to_json(self) -> dict[str, Any]:
        """`read_at`, `fitted_to` of each run, and `equal`: where both have a loss, and the difference there."""
        why = TOGETHER if self.together else NO_OVERLAP
        return {
            "read_at": {"a": self.a, "b": self.b},
            "fitted_to": {"a": self.fitted_a, "b": self.fitted_b},
            "equal": {"read_at": self.equal, **number_or_reason("total", self.at_equal, why)},
        }


def ends_of(a: Fit, b: Fit, scale_a: float, scale_b: float) -> Ends:
    """The losses of two runs at the end of each, and at the end of the shorter. scale: tokens of a step, or 1."""
    last_a, last_b = log_end(a) * scale_a, log_end(b) * scale_b
    equal = min(last_a, last_b)
    at_equal = loss_at(b, equal / scale_b) - loss_at(a, equal / scale_a)
    return Ends(
        a=last_a,
        b=last_b,
        fitted_a=a.last_step * scale_a,
        fitted_b=b.last_step * scale_b,
        total=loss_at(b, log_end(b)) - loss_at(a, log_end(a)),
        at_equal=float("nan") if end_together(last_a, last_b) else at_equal,
    )


def end_together(a: float, b: float) -> bool:
    """Whether two logs end at the same position, to half a log bin.

    >>> end_together(60_000.0, 59_900.0), end_together(60_000.0, 30_000.0)
    (True, False)
    """
    return bool(abs(np.log(a) - np.log(b)) < SAME_END)


def log_end(fit: Fit) -> float:
    """Last step of the log, which the fit may not reach: it stops where the learning rate falls."""
    return float(fit.curve.step[-1])


def loss_at(fit: Fit, step: float) -> float:
    """Loss reached at a step, nats: the last point that the fit's procedure makes of the log up to there. NaN: none."""
    if step == fit.last_step:
        return fit.L_T
    if step < fit.curve.step[0]:
        return float("nan")
    y = PROCEDURES[fit.procedure].points(up_to(fit.curve, step)).y
    return float(np.exp(y[-1])) if len(y) else float("nan")
