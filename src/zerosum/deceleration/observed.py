"""Facts about the run in a curve: changes of the learning rate, gaps, resumptions, spikes; and the stable phase."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from zerosum.curves import LossCurve, code_of
from zerosum.curves.gaps import find_gaps
from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.late_drop import find_late_drop
from zerosum.deceleration.rate_changes import RateChange, logged_changes

SPIKE, SPIKE_SCALES = 0.1, 8.0  # above the law, in log loss, and in robust standard deviations
WIDE_GAP = 1.3  # last step over first; a narrower gap is shorter than most bends


@dataclass(frozen=True)
class Observed:
    """changes: of the learning rate. stopped: the fit stops where the first of them ends the stable phase.

    gaps: (last step before, first step after), those wide enough to hide a bend. resumed, diverged: notes of the
    reader on steps trained twice, and on losses that end in NaN.
    spikes: first step of each. rate_logged: whether there is a learning rate to look at.
    not_positive: losses that the reader dropped because they are not above 0; of: how many losses there were.
    """

    changes: tuple[RateChange, ...] = ()
    stopped: bool = False
    gaps: tuple[tuple[float, float], ...] = ()
    resumed: tuple[str, ...] = ()
    diverged: tuple[str, ...] = ()
    spikes: tuple[float, ...] = ()
    rate_logged: bool = False
    not_positive: int = 0
    of: int = 1

    @property
    def warm_up_end(self) -> float:
        """Step at which the logged learning rate stops rising; 0 where it does not rise."""
        return max((change.end for change in self.changes if change.kind == "warm-up"), default=0.0)


def observe(curve: LossCurve, *, stop: bool) -> tuple[LossCurve, Observed]:
    """The part of the curve to fit, and the facts about the whole of it.

    stop: whether to leave out what comes after the stable phase of the learning rate.
    """
    rate_logged = curve.lr is not None and bool((curve.lr > 0).any())
    changes = logged_changes(curve.step, curve.lr) if curve.lr is not None else _likely_changes(curve)
    gaps = tuple(gap for gap in find_gaps(curve.step) if gap[1] > WIDE_GAP * gap[0])
    resumed, diverged = (
        tuple(note for note in curve.cleaning if code_of(note) == code) for code in ("trained-twice", "diverged")
    )
    ends = [change.start for change in changes if change.ends_stable_phase]
    dropped = curve.dropped.get("loss not positive", 0)
    stopped, of = stop and bool(ends), len(curve) + dropped
    seen = Observed(changes, stopped, gaps, resumed, diverged, rate_logged=rate_logged, not_positive=dropped, of=of)
    return (up_to(curve, min(ends)) if seen.stopped else curve), seen


def up_to(curve: LossCurve, step: float) -> LossCurve:
    """The rows of a curve up to and including a step."""
    rows = curve.step <= step
    tokens, lr = (None if axis is None else axis[rows] for axis in (curve.tokens, curve.lr))
    return replace(curve, step=curve.step[rows], loss=curve.loss[rows], tokens=tokens, lr=lr)


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
