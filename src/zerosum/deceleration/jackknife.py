"""Intervals and cross-validation from the same refits: each leaves one stretch of the curve out.

Residuals of loss curves are smooth misfit, not noise (lag-1 autocorrelation 0.9 and more), so that anything that
takes points for independent is far too sure. Leaving out whole stretches asks how much any one of them decides.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit

from zerosum.deceleration.reduced import hinge_and_slope
from zerosum.deceleration.varpro import Solutions
from zerosum.estimate import Interval

BLOCKS = 8
METHOD = (
    f"delete-block jackknife: {BLOCKS} contiguous blocks equal in log step, t with {BLOCKS - 1} degrees of freedom, "
    "t_d and L_d on log scale, widened for autocorrelated residuals"
)


def leave_out(weight: Float[np.ndarray, " n"], block: Int[np.ndarray, " n"]) -> Float[np.ndarray, "blocks n"]:
    """The weights with each block in turn set to 0. block: [n] as `Points.blocks` numbers them."""
    return np.where(block == np.arange(BLOCKS)[:, None], 0.0, weight)


def jackknife_interval(
    estimate: float, refits: Float[np.ndarray, " blocks"], level: float, widen: float = 1.0
) -> Interval:
    """estimate -+ t * widen * se, with se^2 = (k-1)/k sum (refit - mean refit)^2 over k deleted blocks.

    >>> low, high = jackknife_interval(1.0, np.array([0.9, 1.1, 1.0, 1.0]), 0.95)
    >>> round(low, 3), round(high, 3)
    (0.61, 1.39)
    """
    k = len(refits)
    error = np.sqrt((k - 1) / k * ((refits - refits.mean()) ** 2).sum())
    half = float(stdtrit(k - 1, (1 + level) / 2) * widen * error)
    return estimate - half, estimate + half


def intervals(
    best: Solutions, refits: Solutions, level: float, widen: float = 1.0
) -> tuple[dict[str, Interval | None], dict[str, str]]:
    """Intervals for L_d, t_d and r_d, and for each that is None the reason.

    best: one row, the whole fit. refits: one row for each block left out. widen: see `autocorrelation.widening`.
    A refit that fails or ends on an edge makes all intervals None: leaving it out would make them too narrow.
    """
    names = ("L_d", "t_d", "r_d")
    why = _unusable(best, refits)
    if why:
        return dict.fromkeys(names), dict.fromkeys(names, why)
    found: dict[str, Interval | None] = {}
    for name, centre, values, logged in (
        ("L_d", best.log_L_d[0], refits.log_L_d, True),
        ("t_d", best.log_t_d[0], refits.log_t_d, True),
        ("r_d", best.r_d[0], refits.r_d, False),
    ):
        low, high = jackknife_interval(float(centre), values, level, widen)
        with np.errstate(over="ignore"):
            found[name] = (float(np.exp(low)), float(np.exp(high))) if logged else (low, high)
    tails = [name for name, interval in found.items() if not np.isfinite(interval or ()).all()]
    return found | dict.fromkeys(tails), dict.fromkeys(tails, "the interval has no finite end")


def _unusable(best: Solutions, refits: Solutions) -> str:
    if not np.isfinite(best.rss[0]):
        return "too few points to fit"
    if best.t_at_edge[0]:
        return "the fit itself puts the break at the edge of the fitted range"
    failed = int((~np.isfinite(refits.rss)).sum())
    if failed:
        return f"{failed} of {len(refits.rss)} refits with a stretch left out have too few points"
    edge = np.flatnonzero(refits.t_at_edge)
    if len(edge):
        where = ", ".join(str(k + 1) for k in edge)
        return f"with stretch {where} of {len(refits.rss)} left out the break moves to the edge of the fitted range"
    return ""


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
    broken = float(((y - _laws(refits, x))[out] ** 2).sum())
    rounding = 1e-24 * len(x)  # two exact fits are equally good
    return (plain + rounding) / (broken + rounding)


def _laws(s: Solutions, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, "blocks n"]:
    level, before, after, at, log_f = (value[:, None] for value in (s.log_L_d, s.r_before, s.r_d, s.log_t_d, s.log_f))
    bend, _ = hinge_and_slope(x, at, np.exp(log_f))
    lines: Float[np.ndarray, "blocks n"] = level - before * (x - at) - (after - before) * bend
    return lines
