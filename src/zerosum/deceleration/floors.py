"""Laws with a floor: L = E + A (t + t0)^(-alpha), and the one-break law above a floor.

x = log step, y = log loss; least squares in y. Each law gives starts for a search that SciPy finishes.
Letters: n points, p parameters, B weightings of the points (0 leaves a point out).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.optimize import OptimizeResult, least_squares
from scipy.special import expit

from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN, solve

Theta = Float[np.ndarray, " p"]
Points = Float[np.ndarray, " n"]
Weights = Float[np.ndarray, "B n"]
Thetas = Float[np.ndarray, "B p"]
Design = Float[np.ndarray, "n p"]
Bounds = tuple[Theta, Theta]
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


def shifted_power_law_design(theta: Theta, x: Points) -> Design:
    """Derivatives of `shifted_power_law` by its parameters."""
    late = np.logaddexp(x, theta[3]) if len(theta) == 4 else x
    share = expit(theta[0] - theta[1] * late - theta[2])  # of the loss, above the floor
    columns = [share, -share * late, 1 - share]
    if len(theta) == 4:
        columns.append(-theta[1] * share * np.exp(theta[3] - late))
    return np.stack(columns, axis=-1)


def broken_above_floor(theta: Theta, x: Points) -> Points:
    """log(E + one-break law); theta = log L_d (of the part above E), r_before, r_d, log t_d, log f, log E."""
    log_L_d, r_before, r_d, at, log_f, log_E = theta
    bend = hinge(x, float(at), float(np.exp(log_f)))
    return above_floor(float(log_E), log_L_d - r_before * (x - at) - (r_d - r_before) * bend)


def broken_above_floor_design(theta: Theta, x: Points) -> Design:
    """Derivatives of `broken_above_floor` by its parameters."""
    log_L_d, r_before, r_d, at, log_f, log_E = (float(value) for value in theta)
    width, change = float(np.exp(log_f)), r_d - r_before
    bend, bent = hinge(x, at, width), expit((x - at) / width)
    share = expit(log_L_d - r_before * (x - at) - change * bend - log_E)  # of the loss, above the floor
    by_width = bend - (x - at) * bent
    columns = [np.ones_like(x), bend - (x - at), -bend, r_before + change * bent, -change * by_width]
    return np.stack([*(share * column for column in columns), 1 - share], axis=-1)


def log_floors(y: Points) -> Float[np.ndarray, " k"]:
    """Logs of the floors tried."""
    return np.asarray(y.min() + np.log(SHARES))


def power_law_starts(x: Points, y: Points, shifts: tuple[float, ...]) -> list[Theta]:
    """A straight line through log(L - E) for each floor and shift (log steps), the best three first.

    shifts: of -inf is none, and leaves log t0 out of theta.
    """
    starts = []
    for log_E in log_floors(y):
        rest, weight = _above(y, float(log_E))
        for shift in shifts:
            late = np.logaddexp(x, shift)
            slope, level = np.polyfit(late, rest, 1, w=weight)
            theta = np.array([level, -slope, log_E, shift])[: 3 if shift == -np.inf else 4]
            starts.append((float(((shifted_power_law(theta, x) - y) ** 2).sum()), theta))
    return [theta for _, theta in sorted(starts, key=lambda pair: pair[0])[:3]]


def broken_starts(x: Points, y: Points) -> list[Theta]:
    """The one-break law of log(L - E) for each floor, the best three first."""
    starts = []
    for log_E in log_floors(y):
        rest, weight = _above(y, float(log_E))
        s = solve(x, rest, weight[None] ** 2)
        if np.isfinite(s.rss[0]):
            theta = np.array([s.log_L_d[0], s.r_before[0], s.r_d[0], s.log_t_d[0], s.log_f[0], log_E])
            starts.append((float(((broken_above_floor(theta, x) - y) ** 2).sum()), theta))
    return [theta for _, theta in sorted(starts, key=lambda pair: pair[0])[:3]]


def broken_bounds(x: Points, y: Points) -> Bounds:
    """Bounds of `broken_above_floor`: the break inside the points, the floor below all losses."""
    low = np.array([-np.inf, -np.inf, -np.inf, x[2], LOG_F_MIN, y.min() - 12.0])
    high = np.array([np.inf, np.inf, np.inf, x[-3], LOG_F_MAX, y.min() + np.log(MOST)])
    return low, high


def power_law_bounds(x: Points, y: Points, *, shifted: bool) -> Bounds:
    """Bounds of `shifted_power_law`: the floor below all losses, a shift of at most a tenth of the run."""
    low = np.array([-np.inf, 0.0, y.min() - 12.0, x[0] - 5.0])
    high = np.array([np.inf, 10.0, y.min() + np.log(MOST), max(x[-1] - np.log(10), x[0])])
    return (low, high) if shifted else (low[:3], high[:3])


def fit_power_law(x: Points, y: Points, weights: Weights) -> Thetas:
    """The least-squares power law with floor for each weighting."""
    return _searched(
        shifted_power_law,
        shifted_power_law_design,
        lambda x, y: power_law_starts(x, y, (-np.inf,)),
        lambda x, y: power_law_bounds(x, y, shifted=False),
        x, y, weights,
    )  # fmt: skip


def fit_shifted_power_law(x: Points, y: Points, weights: Weights) -> Thetas:
    """The least-squares power law with floor and shift for each weighting."""
    return _searched(
        shifted_power_law,
        shifted_power_law_design,
        lambda x, y: power_law_starts(x, y, tuple(np.linspace(x[0] - 2, x[-1] - np.log(20), 8))),
        lambda x, y: power_law_bounds(x, y, shifted=True),
        x, y, weights,
    )  # fmt: skip


def fit_broken(x: Points, y: Points, weights: Weights) -> Thetas:
    """The least-squares one-break law above a floor for each weighting."""
    return _searched(broken_above_floor, broken_above_floor_design, broken_starts, broken_bounds, x, y, weights)


def _searched(
    log_loss: Callable[[Theta, Points], Points],
    design: Callable[[Theta, Points], Design],
    starts: Callable[[Points, Points], list[Theta]],
    bounds: Callable[[Points, Points], Bounds],
    x: Points,
    y: Points,
    weights: Weights,
) -> Thetas:
    """The best end of a bounded search from each start for the first row; the others start where that one ends."""
    thetas: list[Theta] = []
    for used in weights > 0:
        at, seen = x[used], y[used]
        low, high = limits = bounds(at, seen)
        inside = [np.clip(start, low + 1e-9, high - 1e-9) for start in thetas[:1] or starts(at, seen)]
        ends = [_search(log_loss, design, at, seen, limits, start) for start in inside]
        thetas.append(np.asarray(min(ends, key=lambda end: end.cost).x))
    return np.array(thetas)


def _search(
    log_loss: Callable[[Theta, Points], Points],
    design: Callable[[Theta, Points], Design],
    x: Points,
    y: Points,
    bounds: Bounds,
    start: Theta,
) -> OptimizeResult:
    def residual(theta: Theta) -> Points:
        return np.asarray(log_loss(theta, x) - y)

    def slopes(theta: Theta) -> Design:
        return design(theta, x)

    return least_squares(residual, start, slopes, bounds=bounds, x_scale="jac", max_nfev=200)


def _above(y: Points, log_E: float) -> tuple[Points, Points]:
    """log(L - E), and the weight dy / dlog(L - E) = 1 - E/L that makes its least squares that of log L."""
    share = -np.expm1(log_E - y)
    return y + np.log(share), share
