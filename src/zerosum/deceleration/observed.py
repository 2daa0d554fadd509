"""What a curve says about its run beside the losses: rate changes, gaps, resumptions, spikes; and its stable phase."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from zerosum.curves import LossCurve
from zerosum.curves.gaps import find_gaps
from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.late_drop import find_late_drop
from zerosum.deceleration.rate_changes import RateChange, logged_changes

SPIKE, SPIKE_SCALES = 0.1, 8.0  # above the law, in log loss, and in robust standard deviations
WIDE_GAP = 1.3  # last step over first; a narrower gap is shorter than most bends


@dataclass(frozen=True)
class Observed:
    """changes: of the learning rate. stopped: the fit stops where the first of them ends the stable phase.

    gaps: (last step before, first step after), those wide enough to hide a bend. resumed: what the reader did about
    steps trained twice. spikes: first step of each.
    """

    changes: tuple[RateChange, ...] = ()
    stopped: bool = False
    gaps: tuple[tuple[float, float], ...] = ()
    resumed: tuple[str, ...] = ()
    spikes: tuple[float, ...] = ()


def observe(curve: LossCurve, *, stop: bool) -> tuple[LossCurve, Observed]:
    """The part of the curve to fit, and what was seen in all of it.

    stop: whether to leave out what comes after the stable phase of the learning rate.
    """
    changes = logged_changes(curve.step, curve.lr) if curve.lr is not None else _likely_changes(curve)
    gaps = tuple(gap for gap in find_gaps(curve.step) if gap[1] > WIDE_GAP * gap[0])
    resumed = tuple(sentence for sentence in curve.cleaning if sentence.startswith("resumed"))
    ends = [change.start for change in changes if change.ends_stable_phase]
    seen = Observed(changes, stop and bool(ends), gaps, resumed)
    return (up_to(curve, min(ends)) if seen.stopped else curve), seen


def up_to(curve: LossCurve, step: float) -> LossCurve:
    """The rows of a curve up to and including a step."""
    kept = curve.step <= step
    tokens, lr = (None if axis is None else axis[kept] for axis in (curve.tokens, curve.lr))
    return replace(curve, step=curve.step[kept], loss=curve.loss[kept], tokens=tokens, lr=lr)


def spikes(curve: LossCurve, law: BNSL, first_step: float) -> tuple[float, ...]:
    """First step of each run of rows that lie 10 % and 8 robust standard deviations above the law."""
    rows = (curve.step >= first_step) & (curve.step > 0)
    above = np.log(curve.loss[rows]) - law.log_loss(curve.step[rows])
    if len(above) == 0 or not np.isfinite(above).all():
        return ()
    scale = 1.4826 * float(np.median(np.abs(above - np.median(above))))
    high: Bool[np.ndarray, " n"] = above > max(SPIKE, SPIKE_SCALES * scale)
    starts: Float[np.ndarray, " k"] = curve.step[rows][high & ~np.append(False, high[:-1])]
    return tuple(starts.tolist())


def _likely_changes(curve: LossCurve) -> tuple[RateChange, ...]:
    drop = find_late_drop(curve.step, curve.loss)
    return (drop,) if drop else ()
