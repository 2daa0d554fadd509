"""Laws with a floor: L = E + A (t + t0)^(-alpha), and the one-break law above a floor.

x = log step, y = log loss; least squares in y. Each law gives starts, from which Newton searches run side by side.
Letters: n points, q parameters, M searches side by side, B weightings of the points (0 leaves a point out).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.floor_derivatives import (
    BROKEN_FLOOR,
    POWER_LAW_FLOOR,
    Line,
    broken_law,
    first_derivatives,
    power_law,
    squares,
)
from zerosum.deceleration.newton import Objective, minimise
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN, solve

Theta = Float[np.ndarray, " q"]
Points = Float[np.ndarray, " n"]
Weights = Float[np.ndarray, "B n"]
Thetas = Float[np.ndarray, "M q"]
Design = Float[np.ndarray, "n q"]
Bounds = tuple[Theta, Theta]
SHARES = 1 - np.geomspace(0.9, 0.01, 8)  # where a floor may lie, as a share of the lowest loss
STEPS = 200  # valleys are long where the points do not determine the floor
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
    return np.asarray(first_derivatives(power_law(theta[None], x), theta[None], POWER_LAW_FLOOR)[0].T)


def broken_above_floor(theta: Theta, x: Points) -> Points:
    """log(E + one-break law); theta = log L_d (of the part above E), r_before, r_d, log t_d, log f, log E."""
    log_L_d, r_before, r_d, at, log_f, log_E = theta
    bend = hinge(x, float(at), float(np.exp(log_f)))
    return above_floor(float(log_E), log_L_d - r_before * (x - at) - (r_d - r_before) * bend)


def broken_above_floor_design(theta: Theta, x: Points) -> Design:
    """Derivatives of `broken_above_floor` by its parameters."""
    return np.asarray(first_derivatives(broken_law(theta[None], x), theta[None], BROKEN_FLOOR)[0].T)


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
    law = _Floored(
        power_law,
        POWER_LAW_FLOOR,
        lambda x, y: power_law_starts(x, y, (-np.inf,)),
        lambda x, y: power_law_bounds(x, y, shifted=False),
    )
    return law.fit(x, y, weights)


def fit_shifted_power_law(x: Points, y: Points, weights: Weights) -> Thetas:
    """The least-squares power law with floor and shift for each weighting."""
    law = _Floored(
        power_law,
        POWER_LAW_FLOOR,
        lambda x, y: power_law_starts(x, y, tuple(np.linspace(x[0] - 2, x[-1] - np.log(20), 8))),
        lambda x, y: power_law_bounds(x, y, shifted=True),
    )
    return law.fit(x, y, weights)


def fit_broken(x: Points, y: Points, weights: Weights) -> Thetas:
    """The least-squares one-break law above a floor for each weighting."""
    return _Floored(broken_law, BROKEN_FLOOR, broken_starts, broken_bounds).fit(x, y, weights)


@dataclass(frozen=True)
class _Floored:
    """A law above a floor. floor: which of its parameters is log E."""

    line: Callable[[Thetas, Points], Line]
    floor: int
    starts: Callable[[Points, Points], list[Theta]]
    bounds: Callable[[Points, Points], Bounds]

    def fit(self, x: Points, y: Points, weights: Weights) -> Thetas:
        """The best end of the searches from each start for the first row; the others start where that one ends."""
        used = weights > 0
        starts = np.array(self.starts(x[used[0]], y[used[0]]))
        ends, values = self._search(x, y, np.repeat(used[:1], len(starts), axis=0), starts)
        best: Thetas = ends[values.argmin()][None]
        if len(used) == 1:
            return best
        others, _ = self._search(x, y, used[1:], np.repeat(best, len(used) - 1, axis=0))
        return np.concatenate([best, others])

    def _search(
        self, x: Points, y: Points, used: Bool[np.ndarray, "M n"], starts: Thetas
    ) -> tuple[Thetas, Float[np.ndarray, " M"]]:
        """Where searches end, each over the points that it uses, and half their sums of squares."""
        limits = [self.bounds(x[rows], y[rows]) for rows in used]
        low, high = np.stack([low for low, _ in limits]), np.stack([high for _, high in limits])
        lowest = float(y[used.any(axis=0)].min())

        def objective(which: Int[np.ndarray, " M"]) -> Objective:
            return lambda theta: squares(self.line(theta, x), theta, self.floor, lowest, y, used[which] * 1.0)

        begin, least, most = (
            self._as_share(one, lowest) for one in (np.clip(starts, low + 1e-9, high - 1e-9), low, high)
        )
        ends, values = minimise(objective, begin, least, most, steps=STEPS)
        ends[:, self.floor] = lowest + np.log(ends[:, self.floor])
        return ends, values

    def _as_share(self, theta: Thetas, lowest: float) -> Thetas:
        """With the floor as a share of the lowest loss: valleys of the squares are straighter in it than in log E."""
        changed: Thetas = theta.copy()
        changed[:, self.floor] = np.exp(theta[:, self.floor] - lowest)
        return changed


def _above(y: Points, log_E: float) -> tuple[Points, Points]:
    """log(L - E), and the weight dy / dlog(L - E) = 1 - E/L that makes its least squares that of log L."""
    share = -np.expm1(log_E - y)
    return y + np.log(share), share
