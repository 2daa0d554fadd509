"""Log loss at a later step, by two laws, each with refits that leave one stretch out. Pure arrays.

Letters: n points, k blocks.
"""

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.jackknife import BLOCKS, jackknife_interval
from zerosum.deceleration.models import FEWEST, MODELS, optimum
from zerosum.deceleration.varpro import Solutions

DECADE = float(np.log(10))
_FLOOR = next(law for law in MODELS if law.name == "power law with floor")


def one_break_refits(refits: Solutions, x: float) -> Float[np.ndarray, " k"]:
    """Log loss at log step x by each refit of the one-break law; NaN where a refit failed."""
    return np.array([float(refits.law(k).log_loss(np.exp(x))) for k in range(len(refits.rss))])


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
    where = np.array([at])
    theta = optimum(_FLOOR, x, y)
    refits = [optimum(_FLOOR, x[block != k], y[block != k], [theta]) for k in range(BLOCKS)]
    values = [float(_FLOOR.log_loss(one, where)[0]) for one in (theta, *refits)]
    return values[0], np.array(values[1:])


def loss_interval(log_loss: float, refits: Float[np.ndarray, " k"], level: float, widen: float) -> tuple[float, float]:
    """Interval of the loss in nats by the delete-block jackknife on log scale."""
    with np.errstate(over="ignore"):
        low, high = np.exp(jackknife_interval(log_loss, refits, level, widen))
    return float(low), float(high)
