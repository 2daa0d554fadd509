"""Changes of the learning rate, read from its column. Without such a column see `late_drop.py`.

A law fitted across such a change describes the schedule, not the model: cooldown makes the loss fall faster.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

FULL = 0.98  # of the peak; a rate above this counts as the peak's
LOW = 0.9  # a log that starts below this share of the peak has a warm-up; one row to the next below it is a step
LASTS = 3  # rows that a lower rate must last: one row is a glitch of the log
HELD = 0.25  # of the run; a peak held shorter is the top of a schedule that decays all through, as cosine does

Kind = Literal["warm-up", "cooldown", "step-down", "decay"]


@dataclass(frozen=True)
class RateChange:
    """One change of the learning rate between two steps.

    kind: "cooldown" ends a constant phase, "decay" goes on all through the run, "step-down" falls from row to row.
    factor: rate after it over the peak rate; NaN where no rate was logged. likely: seen in the loss, not logged.
    """

    kind: Kind
    start: float
    end: float
    factor: float = float("nan")
    likely: bool = False

    @property
    def ends_stable_phase(self) -> bool:
        """Whether the fit must stop where this starts."""
        return self.kind in ("cooldown", "step-down")


def logged_changes(step: Float[np.ndarray, " n"], lr: Float[np.ndarray, " n"]) -> tuple[RateChange, ...]:
    """Warm-up and the first lasting fall from the peak rate, if there are any.

    step: [n] not falling. lr: [n] finite. What comes after the first fall is not looked at: the fit stops there.

    >>> logged_changes(np.arange(100.0), np.r_[np.arange(10.0), np.full(70, 10.0), np.arange(10.0, 0, -0.5)])[1].start
    80.0
    """
    peak = float(lr.max())
    if peak <= 0:
        return ()
    top = int((lr >= FULL * peak).argmax())
    changes: list[RateChange] = []
    if lr[0] < LOW * peak:
        changes.append(RateChange("warm-up", float(step[0]), float(step[_rises_until(lr, top)]), 1.0))
    below = _lasting(np.less(lr, FULL * peak)) & (np.arange(len(lr)) > top)
    if below.any():
        changes.append(_fall(step, lr / peak, int(below.argmax())))
    return tuple(changes)


def _rises_until(lr: Float[np.ndarray, " n"], top: int) -> int:
    """The row at which the rise that passes row `top` ends: the last 2 % bend the curve too."""
    falls = np.flatnonzero(np.diff(lr[top:]) <= 0)
    return top + (int(falls[0]) if len(falls) else len(lr) - 1 - top)


def _lasting(low: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Where a run of True of at least LASTS rows, or up to the last row, begins or goes on."""
    ahead = np.append(low, np.ones(LASTS - 1, dtype=bool))
    lasting: Bool[np.ndarray, " n"] = np.asarray(np.lib.stride_tricks.sliding_window_view(ahead, LASTS).all(axis=1))
    return lasting


def _fall(step: Float[np.ndarray, " n"], share: Float[np.ndarray, " n"], at: int) -> RateChange:
    """The fall whose first row is `at`: a step where the rate is low at once and stays there, else a decay."""
    start, after = float(step[max(at - 1, 0)]), share[at]
    stays = share[at : at + LASTS]
    held = start - float(step[(share >= FULL).argmax()]) >= HELD * float(step[-1])
    if after < LOW and np.abs(stays - after).max() <= (1 - FULL) * after and len(stays) == LASTS:
        return RateChange("step-down", start, float(step[at]), float(after))
    return RateChange("cooldown" if held else "decay", start, float(step[-1]), float(share[-1]))
