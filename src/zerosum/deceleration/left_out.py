"""Cross-validation: how well the law that the other stretches give predicts a stretch that was left out.

Residuals of loss curves are smooth, so that whole stretches are left out, not single points.
"""

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration.varpro import Solutions

BLOCKS = 8


def leave_out(weight: Float[np.ndarray, " n"], block: Int[np.ndarray, " n"]) -> Float[np.ndarray, "blocks n"]:
    """The weights with each block in turn set to 0. block: [n] as `Points.blocks` numbers them."""
    return np.where(block == np.arange(BLOCKS)[:, None], 0.0, weight)


def power_law_error(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    block: Int[np.ndarray, " n"],
    refits: Solutions,
) -> float:
    """Blocked cross-validation: squared error of a plain power law over that of the one-break law, left-out points.

    NaN where a refit failed. On power laws with noise it is about 1 or less (a needless break predicts worse); on the
    published curves it is 8 to 19.
    """
    if not np.isfinite(refits.rss).all():
        return float("nan")
    rest = leave_out(weight, block)
    centre = rest @ x[:, None] / rest.sum(axis=1, keepdims=True)
    away = x - centre  # [blocks n]
    slope = ((rest * away) @ y / (rest * away**2).sum(axis=1))[:, None]
    line = (rest @ y / rest.sum(axis=1))[:, None] + slope * away
    out = (block == np.arange(BLOCKS)[:, None]) & (weight > 0)
    plain = float(((y - line)[out] ** 2).sum())
    broken = float(((y - refits.log_loss(x))[out] ** 2).sum())
    rounding = 1e-24 * len(x)  # two exact fits are equally good
    return (plain + rounding) / (broken + rounding)
