"""Could a warm-up that was not logged have bent this curve? One power law of the progress that a warm-up slows down.

Progress is the sum of learning rates over their peak: t^2 / 2w during a linear warm-up of w steps, t - w/2 after it. A
power law of progress is twice as steep during the warm-up as long after it, and flat below a floor of progress.
Letters: n points, c cells of the grid (a warm-up and a floor).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.deceleration._record import Reason
from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.varpro import solve

LONGEST = 3_000.0  # steps; published recipes warm up for 2,000 or fewer, seldom for more
MOST = 0.25  # of the run
ENDS, FLOORS = 24, 5  # on the grid: warm-ups, and floors, each reached at half the step of the one before it
AS_GOOD = 1.05  # misfit of a power law after a warm-up over that of the law with a break
MOST_MISFIT = 0.02  # of the loss; what misses the curve by more does not describe it
NOT_LOGGED = "no learning rate was logged"
FINER = 9  # warm-ups between the neighbours of the best


@dataclass(frozen=True)
class WarmUp:
    """The power law with the warm-up that fits best. end: its last step. rsle: root mean squared misfit in log loss."""

    end: float
    rsle: float


def best_warm_up(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], end: float = 0.0) -> WarmUp | None:
    """The least-squares power law after a warm-up. x: [n] log steps, not falling. y: [n] log losses.

    end: last step of a warm-up that is known; 0: searched for. None where the log is too short, or begins after the
    longest warm-up. A break that describes the curve better than this law is not the end of a linear warm-up.
    """
    if end > 0:
        return WarmUp(*_best(x, y, np.log([end])))
    shortest, longest = float(x[0]), float(min(np.log(LONGEST), x[-1] + np.log(MOST)))
    if longest <= shortest:
        return None
    ends, apart = np.linspace(shortest, longest, ENDS, retstep=True)
    near = np.log(_best(x, y, ends)[0])
    return WarmUp(*_best(x, y, near + 1.5 * float(apart) * np.linspace(-1, 1, FINER)))


def warm_up_instead(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], law: BNSL, end: float = 0.0
) -> Reason | None:
    """The reason that a power law after a warm-up describes the curve as well as a break does, or None.

    law: the fitted one-break law. end: last step of a logged warm-up; 0: no learning rate was logged.
    """
    return _as_good_as_a_break(x, y, law, best_warm_up(x, y, end), logged=end > 0)


def _as_good_as_a_break(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], law: BNSL, warm_up: WarmUp | None, *, logged: bool
) -> Reason | None:
    if warm_up is None or warm_up.rsle > min(AS_GOOD * _misfit(x, y, law), MOST_MISFIT):
        return None
    # The fit may weight its points: the best break is that of every point counted alike, as for the warm-up.
    broken = float(np.sqrt(solve(x, y, np.ones((1, len(x)))).rss[0] / len(x)))
    if warm_up.rsle > AS_GOOD * broken:
        return None
    text = (
        f"a power law after a warm-up until step {warm_up.end:.0f} describes the curve as well as a break does (misfit "
        f"{100 * warm_up.rsle:.2g} and {100 * broken:.2g} %)"
    )
    if logged:
        return Reason("warm-up", "blocking", f"{text}. Only a run with a shorter warm-up can tell")
    return Reason("rate-not-logged", "blocking", f"{NOT_LOGGED}, and {text}. Log the rate, or name its column")


def unlogged_rate(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], law: BNSL) -> Reason:
    """What the missing learning rate means for the break of a law.

    Blocking where a schedule that is common may have made the break; never firmer than with the rate.
    """
    if law.c1 > 0:
        text = (
            f"the loss falls faster after the break, as a falling learning rate or the end of a warm-up makes it, and "
            f"{NOT_LOGGED}. Log it, or name its column"
        )
        return Reason("rate-not-logged", "blocking", text)
    warm_up = best_warm_up(x, y)
    if blocking := _as_good_as_a_break(x, y, law, warm_up, logged=False):
        return blocking
    misfit = f" (misfit {100 * warm_up.rsle:.2g}, not {100 * _misfit(x, y, law):.2g} %)" if warm_up else ""
    text = (
        f"{NOT_LOGGED}, and a warm-up or a decay can bend a curve too; a power law after a warm-up does not describe "
        f"this curve as well as the break{misfit}"
    )
    return Reason("rate-not-logged", "note", text)


def _misfit(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], law: BNSL) -> float:
    """Root mean squared difference of log losses between a law and the points."""
    return float(np.sqrt(np.mean((law.log_loss(np.exp(x)) - y) ** 2)))


def _best(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], ends: Float[np.ndarray, " k"]) -> tuple[float, float]:
    """Of some warm-ups (log steps) the last step of the best, and its misfit: straight lines in log progress."""
    g = _log_progress(x, ends)
    g, y = g - g.mean(axis=1, keepdims=True), y - y.mean()
    along = np.minimum(g @ y, 0.0)  # the loss falls with progress
    rss = y @ y - along**2 / np.maximum((g * g).sum(axis=1), 1e-12)
    best = int(rss.argmin())
    return float(np.exp(ends[best // (len(g) // len(ends))])), float(np.sqrt(max(rss[best], 0.0) / len(x)))


def _log_progress(x: Float[np.ndarray, " n"], ends: Float[np.ndarray, " k"]) -> Float[np.ndarray, "c n"]:
    """Log progress at each point of each cell, warm-up by warm-up: without a floor, held at it, or added to it."""
    t, w = np.exp(x), np.exp(ends)[:, None, None]
    progress = np.where(t < w, t * t / (2 * w), t - w / 2)
    reached = w * 2.0 ** -np.arange(FLOORS)[:, None]  # the step at which progress reaches each floor
    floor = reached**2 / (2 * w)
    cells = np.concatenate([progress, np.maximum(progress, floor), progress + floor], axis=1)
    return np.asarray(np.log(cells).reshape(-1, len(x)))
