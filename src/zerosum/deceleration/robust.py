"""Procedure "robust": log bins, so that no decade outweighs another and no moving average shifts the break."""

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve
from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.observed import Observed
from zerosum.deceleration.points import Points, binned_points
from zerosum.deceleration.procedures import FittedLaw, Procedure, smoothing_notes

MOST_DROPPED = 100.0  # steps; what the published fits drop, of runs of 190,000 steps and more
SHARE_DROPPED = 0.01  # of a shorter run, so that two decades are left to fit whatever the length


def default_cutoff(curve: LossCurve, seen: Observed) -> float:
    """Steps to drop: the initial transient, 1 % of the run and at most 100; and all of a logged warm-up.

    The first steps learn token frequencies and follow no power law. A run of 2,048 steps breaks near step 150-200:
    dropping 100 steps there would leave nothing in front of the break. The end of a warm-up is a kink of its own.
    """
    return float(max(min(MOST_DROPPED, np.floor(SHARE_DROPPED * curve.step[-1])), seen.warm_up_end))


def _estimate(points: Points, weight: Float[np.ndarray, " n"], best: BNSL) -> FittedLaw:
    return FittedLaw(best, best.t_d, notes=smoothing_notes(points))


PROCEDURE = Procedure("robust", binned_points, default_cutoff, _estimate, "stable", balanced=True)
