"""The interface of a fitting procedure: its points, its cut-off, and the numbers it reads off the best law."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve
from zerosum.deceleration._record import Phase, ProcedureName, Reason
from zerosum.deceleration.bnsl import BNSL, line_loss
from zerosum.deceleration.observed import Observed
from zerosum.deceleration.points import Points


@dataclass(frozen=True)
class FittedLaw:
    """The law that a procedure gives, and the numbers it reads off it.

    t_d: steps. errors: standard errors by parameter, where the procedure gives any. notes: what to know about them.
    """

    params: BNSL
    t_d: float
    errors: dict[str, float] | None = None
    notes: tuple[Reason, ...] = ()

    @property
    def L_d(self) -> float:
        """Nats, on the first line at the step the procedure calls t_d."""
        return line_loss(self.params.b, self.params.c0, self.t_d)


@dataclass(frozen=True)
class Procedure:
    """name: what the caller asks for. points: curve -> points.
    default_cutoff: (curve, what it says of its run) -> steps.

    estimate: (points, weights, the least-squares optimum of these points) -> `FittedLaw`.
    balanced: whether points weigh as their residuals show (see `weighting`), or all alike.
    phase: what is fitted of a run whose learning rate falls in the end, "stable" (up to there) or "whole".
    """

    name: ProcedureName
    points: Callable[[LossCurve], Points]
    default_cutoff: Callable[[LossCurve, Observed], float]
    estimate: Callable[[Points, Float[np.ndarray, " n"], BNSL], FittedLaw]
    phase: Phase
    balanced: bool


def smoothing_notes(points: Points) -> tuple[Reason, ...]:
    """Reasons for what was special about the source of the points."""
    return tuple(Reason("already-smoothed", "note", note) for note in points.notes)
