"""Derivatives of laws with a floor, log(E + exp(line)), and of the sum of squares about them, many at a time.

x = log step, y = log loss. A line is the log of what falls: of a power law, or of the one-break law.
Letters: M searches side by side, n points, q parameters.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from zerosum.deceleration.newton import Derivatives
from zerosum.deceleration.reduced import hinge_and_slope

Thetas = Float[np.ndarray, "M q"]
Points = Float[np.ndarray, " n"]
Line = tuple[Float[np.ndarray, "M n"], Float[np.ndarray, "M q n"], Float[np.ndarray, "M q q n"]]
"""A line, its derivatives by the parameters, and those twice by them; by log E they are 0."""
POWER_LAW_FLOOR, BROKEN_FLOOR = 2, 5  # places of log E among the parameters


def power_law(theta: Thetas, x: Points) -> Line:
    """log A - alpha log(t + t0), for `shifted_power_law`."""
    level, alpha = theta[:, 0, None], theta[:, 1, None]
    shift = theta[:, 3, None] if theta.shape[1] == 4 else np.full_like(level, -np.inf)
    late = np.logaddexp(x, shift)
    by_shift = np.exp(shift - late)
    first, second = _empty(theta, x)
    first[:, 0], first[:, 1] = 1, -late
    if theta.shape[1] == 4:
        first[:, 3] = -alpha * by_shift
        second[:, 1, 3] = second[:, 3, 1] = -by_shift
        second[:, 3, 3] = -alpha * by_shift * (1 - by_shift)
    return level - alpha * late, first, second


def broken_law(theta: Thetas, x: Points) -> Line:
    """The one-break law of log losses, for `broken_above_floor`."""
    log_L_d, r_before, r_d, at, log_f, _ = theta.T[..., None]
    width, away, change = np.exp(log_f), x - at, r_d - r_before
    bend, s = hinge_and_slope(x, at, width)
    by_f, cross = bend - away * s, s * (1 - s) * away / width
    first, second = _empty(theta, x)
    first[:, :5] = np.stack([np.ones_like(s), bend - away, -bend, r_before + change * s, -change * by_f], axis=1)
    second[:, 1, 3], second[:, 1, 4], second[:, 2, 3], second[:, 2, 4] = 1 - s, by_f, s, -by_f
    second[:, 3, 4] = -change * cross
    second += second.transpose(0, 2, 1, 3)
    second[:, 3, 3], second[:, 4, 4] = -change * s * (1 - s) / width, -change * (by_f + away * cross)
    return log_L_d - r_before * away - change * bend, first, second


def _empty(theta: Thetas, x: Points) -> tuple[Float[np.ndarray, "M q n"], Float[np.ndarray, "M q q n"]]:
    M, q = theta.shape
    return np.zeros((M, q, len(x))), np.zeros((M, q, q, len(x)))


def first_derivatives(line: Line, theta: Thetas, floor: int) -> Float[np.ndarray, "M q n"]:
    """Derivatives of log(E + exp(line)) by the parameters."""
    share = expit(line[0] - theta[:, floor, None])  # of the loss, above the floor
    first: Float[np.ndarray, "M q n"] = share[:, None] * line[1]
    first[:, floor] = 1 - share
    return first


def squares(
    line: Line, theta: Thetas, floor: int, lowest: float, y: Points, weight: Float[np.ndarray, "M n"]
) -> Derivatives:
    """Half the weighted residual sum of squares of log(E + exp(line)), its gradient and its exact Hessian.

    theta: with E as a share of the lowest loss, whose log is `lowest`.
    """
    log_E = lowest + np.log(theta[:, floor, None])
    fitted = np.logaddexp(log_E, line[0])
    residual, share = weight * (fitted - y), expit(line[0] - log_E)
    by_floor = np.exp(lowest - fitted)
    first = share[:, None] * line[1]
    first[:, floor] = by_floor
    hessian = (weight[:, None] * first) @ first.transpose(0, 2, 1)
    # Twice by the line: share (1 - share); by line and floor: -share by_floor; twice by the floor: -by_floor^2.
    apart = line[1].copy()
    apart[:, floor] = 0
    hessian += ((residual * share * (1 - share))[:, None] * apart) @ apart.transpose(0, 2, 1)
    across = (apart @ (residual * share * by_floor)[..., None])[..., 0]
    hessian[:, floor] -= across
    hessian[:, :, floor] -= across
    hessian[:, floor, floor] -= (residual * by_floor**2).sum(axis=1)
    hessian += (line[2] @ (residual * share)[:, None, :, None])[..., 0]
    return (residual**2).sum(axis=1) / 2, (first @ residual[..., None])[..., 0], hessian
