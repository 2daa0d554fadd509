"""The published smoothing and thinning of a raw loss log. Source: Mircea et al. 2025, section 2."""

import numpy as np
from jaxtyping import Float, Int

from zerosum.curves import LossCurve
from zerosum.curves.grid import already_thinned, on_grid

WINDOW_BASE = 1.2


def log_moving_average(loss: Float[np.ndarray, " n"], base: float = WINDOW_BASE) -> Float[np.ndarray, " n"]:
    """Mean over a trailing window that grows with the row: mean(loss[floor(k/base) .. k]). Rows count, not steps.

    Being a trailing mean of a falling curve it lags: it shifts a fitted t_d by about +9 %.

    >>> log_moving_average(np.array([4.0, 3.0, 2.0]))
    array([4. , 3.5, 2.5])
    """
    k = np.arange(len(loss))
    start = window_start(k, base)
    total = np.concatenate([[0.0], np.cumsum(loss)])
    mean = (total[k + 1] - total[start]) / (k + 1 - start)
    # Differences of sums can cancel where losses differ by many orders; no mean lies below the least value.
    floored: Float[np.ndarray, " n"] = np.maximum(mean, loss.min())
    return floored


def window_start(row: Int[np.ndarray, " n"], base: float = WINDOW_BASE) -> Int[np.ndarray, " n"]:
    """First row of the trailing window of each row."""
    start: Int[np.ndarray, " n"] = np.floor_divide(row, base).astype(np.int64)
    return start


def smooth_and_thin(curve: LossCurve) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Steps and losses that the published procedure fits; those of a curve already on its grid stay as they are.

    The grid: every step below 100, every 10th below 1,000, every 100th below 10,000, every 1,000th after, the last.
    """
    if already_thinned(curve.step):
        return curve.step, curve.loss
    keep = on_grid(curve.step)
    return curve.step[keep], log_moving_average(curve.loss)[keep]
