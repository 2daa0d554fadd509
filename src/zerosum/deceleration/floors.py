"""Laws with a floor: L = E + A (t + t0)^(-alpha), and the one-break law above a floor.

x = log step, y = log loss; least squares in y. Each law gives starts for a search that SciPy finishes.
Letters: n points.
"""

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN, solve

Theta = Float[np.ndarray, " p"]
Points = Float[np.ndarray, " n"]
SHARES = 1 - np.geomspace(0.9, 0.01, 8)  # where a floor may lie, as a share of the lowest loss
MOST = 0.9999  # a floor must stay below the lowest loss by this factor


def above_floor(log_E: float, line: Points) -> Points:
    """log(E + exp(line)), which no exponential can overflow. E in nats, line the log of what falls."""
    return np.asarray(np.logaddexp(log_E, line))


def shifted_power_law(theta: Theta, x: Points) -> Points:
    """log(E + A (t + t0)^-alpha); theta = log A (nats), alpha (above 0), log E (nats), log t0 (steps, optional).

    Source: Kaplan et al. 2020 (without floor), Hoffmann et al. 2022 (floor), Tissue et al. 2024 (shift).
    """
    late = np.logaddexp(x, theta[3]) if len(theta) == 4 else x
    return above_floor(float(theta[2]), theta[0] - theta[1] * late)


def broken_above_floor(theta: Theta, x: Points) -> Points:
    """log(E + one-break law); theta = log L_d (of the part above E), r_before, r_d, log t_d, log f, log E."""
    log_L_d, r_before, r_d, at, log_f, log_E = theta
    bend = hinge(x, float(at), float(np.exp(log_f)))
    return above_floor(float(log_E), log_L_d - r_before * (x - at) - (r_d - r_before) * bend)


def log_floors(y: Points) -> Float[np.ndarray, " k"]:
    """Logs of the floors tried."""
    return np.asarray(y.min() + np.log(SHARES))


def power_law_starts(x: Points, y: Points, shifts: tuple[float, ...]) -> list[Theta]:
    """A straight line through log(L - E) for each floor and shift (log steps), the best three first.

    shifts: of -inf is none, and leaves log t0 out of theta.
    """
    found = []
    for log_E in log_floors(y):
        rest, weight = _above(y, float(log_E))
        for shift in shifts:
            late = np.logaddexp(x, shift)
            slope, level = np.polyfit(late, rest, 1, w=weight)
            theta = np.array([level, -slope, log_E, shift])[: 3 if shift == -np.inf else 4]
            found.append((float(((shifted_power_law(theta, x) - y) ** 2).sum()), theta))
    return [theta for _, theta in sorted(found, key=lambda pair: pair[0])[:3]]


def broken_starts(x: Points, y: Points) -> list[Theta]:
    """The one-break law of log(L - E) for each floor, the best three first."""
    found = []
    for log_E in log_floors(y):
        rest, weight = _above(y, float(log_E))
        s = solve(x, rest, weight[None] ** 2)
        if np.isfinite(s.rss[0]):
            theta = np.array([s.log_L_d[0], s.r_before[0], s.r_d[0], s.log_t_d[0], s.log_f[0], log_E])
            found.append((float(((broken_above_floor(theta, x) - y) ** 2).sum()), theta))
    return [theta for _, theta in sorted(found, key=lambda pair: pair[0])[:3]]


def broken_bounds(x: Points, y: Points) -> tuple[Theta, Theta]:
    """Bounds of `broken_above_floor`: the break inside the points, the floor below all losses."""
    low = np.array([-np.inf, -np.inf, -np.inf, x[2], LOG_F_MIN, y.min() - 12.0])
    high = np.array([np.inf, np.inf, np.inf, x[-3], LOG_F_MAX, y.min() + np.log(MOST)])
    return low, high


def power_law_bounds(x: Points, y: Points, *, shifted: bool) -> tuple[Theta, Theta]:
    """Bounds of `shifted_power_law`: the floor below all losses, a shift of at most a tenth of the run."""
    low = np.array([-np.inf, 0.0, y.min() - 12.0, x[0] - 5.0])
    high = np.array([np.inf, 10.0, y.min() + np.log(MOST), max(x[-1] - np.log(10), x[0])])
    return (low, high) if shifted else (low[:3], high[:3])


def _above(y: Points, log_E: float) -> tuple[Points, Points]:
    """log(L - E), and the weight dy / dlog(L - E) = 1 - E/L that makes its least squares that of log L."""
    share = -np.expm1(log_E - y)
    return y + np.log(share), share
