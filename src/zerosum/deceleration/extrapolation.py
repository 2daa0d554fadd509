"""Log loss at a later step, by three laws, each with refits that leave one stretch out. Pure arrays.

Letters: n points, k blocks.
"""

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration.floors import fit_power_law, shifted_power_law
from zerosum.deceleration.jackknife import BLOCKS, jackknife_interval, leave_out
from zerosum.deceleration.models import FEWEST
from zerosum.deceleration.varpro import Solutions

DECADE = float(np.log(10))


def one_break_refits(refits: Solutions, x: float) -> Float[np.ndarray, " k"]:
    """Log loss at log step x by each refit of the one-break law; NaN where a refit failed."""
    return np.array([float(refits.law(k).log_loss(np.exp(x))) for k in range(len(refits.rss))])


def power_law(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], block: Int[np.ndarray, " n"], at: float
) -> tuple[float, Float[np.ndarray, " k"]]:
    """Log loss at log step `at` by a straight line, and by its refits. block: [n] as `Points.blocks` numbers them."""
    lines = [np.polyfit(x[rest], y[rest], 1) for rest in leave_out(np.ones(len(x)), block) > 0]
    return float(np.polyval(np.polyfit(x, y, 1), at)), np.array([float(np.polyval(line, at)) for line in lines])


def floor_of_last_decade(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], at: float
) -> tuple[float, Float[np.ndarray, " k"]] | None:
    """Log loss at log step `at` by L = E + A t^-alpha fitted to the last factor of ten in steps, and by its refits.

    x: [n] log steps, not falling. y: [n] log losses. None where fewer than 12 points lie in the last decade.
    """
    late = x >= x[-1] - DECADE if len(x) else np.zeros(0, dtype=bool)
    x, y = x[late], y[late]
    if len(np.unique(x)) < FEWEST:
        return None
    block = np.arange(len(x)) * BLOCKS // len(x)
    thetas = fit_power_law(x, y, np.stack([np.ones(len(x)), *leave_out(np.ones(len(x)), block)]))
    values = [float(shifted_power_law(theta, np.array([at]))[0]) for theta in thetas]
    return values[0], np.array(values[1:])


def loss_interval(log_loss: float, refits: Float[np.ndarray, " k"], level: float, widen: float) -> tuple[float, float]:
    """Interval of the loss in nats by the delete-block jackknife on log scale."""
    with np.errstate(over="ignore"):
        low, high = np.exp(jackknife_interval(log_loss, refits, level, widen))
    return float(low), float(high)
