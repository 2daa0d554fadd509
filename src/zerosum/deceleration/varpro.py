"""Least squares for the one-break law by variable projection, many weightings of the same points at once.

Given (log t_d, log f), the rest is linear: y = a + s x + g h, with h the hinge at t_d of width f. So only these two
are searched: first on a grid, then by damped Newton steps from the best cells of the grid.

Letters: B weightings of the points, n points, c cells of the grid, F widths by T places, M searches.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.newton import minimise
from zerosum.deceleration.reduced import TINY, Problem, freed_of, hinge_and_slope, reduced_objective

LOG_F_MIN, LOG_F_MAX = float(np.log(0.03)), float(np.log(3.0))  # half a log bin; a bend over more than two decades
GRID_T, GRID_F = 64, 7
STARTS = 4  # valleys of the grid that are searched, at most,
HOPELESS = 4.0  # and only those within this factor of the lowest
MIN_POINTS = 7  # five parameters, and some freedom left
INSIDE = 3  # points that must stay on either side of the break


@dataclass(frozen=True)
class Solutions:
    """The best fit for each of B weightings; NaN where there are too few points.

    log_L_d, r_before, r_d, log_t_d, log_f: [B] parameters, natural logs. rss: [B] weighted sum of squared residuals.
    t_at_edge: [B] whether t_d lies on the edge of the allowed range. f_at_edge: [B] -1 lower, 0 inside, 1 upper.
    """

    log_L_d: Float[np.ndarray, " B"]
    r_before: Float[np.ndarray, " B"]
    r_d: Float[np.ndarray, " B"]
    log_t_d: Float[np.ndarray, " B"]
    log_f: Float[np.ndarray, " B"]
    rss: Float[np.ndarray, " B"]
    t_at_edge: Bool[np.ndarray, " B"]
    f_at_edge: Int[np.ndarray, " B"]

    def rows(self, which: slice) -> "Solutions":
        """The solutions of some of the weightings."""
        return Solutions(*(values[which] for values in vars(self).values()))

    def log_loss(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, "B n"]:
        """Log loss at some log steps by each solution."""
        level, before, after, at, log_f = (
            value[:, None] for value in (self.log_L_d, self.r_before, self.r_d, self.log_t_d, self.log_f)
        )
        bend, _ = hinge_and_slope(x, at, np.exp(log_f))
        return np.asarray(level - before * (x - at) - (after - before) * bend)

    def law(self, k: int) -> BNSL:
        """The k-th solution as a law; its numbers are NaN where there is none."""
        return BNSL.from_rates(
            log_L_d=float(self.log_L_d[k]),
            r_before=float(self.r_before[k]),
            r_d=float(self.r_d[k]),
            log_t_d=float(self.log_t_d[k]),
            log_f=float(self.log_f[k]),
        )


def solve(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"]) -> Solutions:
    """Fit y by the one-break law in x, once for each row of weights, each from the best of several starts.

    x: [n] log steps, not falling. y: [n] log losses. weights: [B, n], 0 leaves a point out.
    """
    return _searched(x, y, weights, enough_points(x, weights, MIN_POINTS), _starts)


def refine(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"], near: Solutions
) -> Solutions:
    """The local optimum of each weighting next to a solution of another weighting of the same points."""
    solved = np.isfinite(near.rss)
    place = np.stack([near.log_t_d, near.log_f], axis=-1)[solved]
    return _searched(x, y, weights, solved, lambda problem: (np.arange(len(place)), place))


def _searched(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "B n"],
    enough: Bool[np.ndarray, " B"],
    starts: Callable[[Problem], tuple[Int[np.ndarray, " M"], Float[np.ndarray, "M 2"]]],
) -> Solutions:
    """The best end of the searches of each weighting with enough points."""
    parameters = np.full((len(weights), 6), np.nan)
    edges = np.zeros((len(weights), 2), dtype=np.int64)
    if enough.any():
        problem = problem_of(x, y, weights[enough])
        row, start = starts(problem)
        searches = problem.rows(row)
        point, goal = minimise(
            lambda which: partial(reduced_objective, searches.rows(which)), start, searches.low, searches.high
        )
        order = np.lexsort((goal, row))
        best = order[np.diff(row[order], prepend=-1) > 0]
        parameters[enough] = _parameters(problem, y, point[best])
        edges[enough] = _edges(problem, point[best])
    log_L_d, r_before, r_d, log_t_d, log_f, rss = parameters.T
    return Solutions(log_L_d, r_before, r_d, log_t_d, log_f, rss, edges[:, 0] != 0, edges[:, 1])


def enough_points(x: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"], fewest: int) -> Bool[np.ndarray, " B"]:
    """Whether each weighting leaves at least `fewest` points; points at the same step count once."""
    fresh = np.diff(x, prepend=-np.inf) > 0
    enough: Bool[np.ndarray, " B"] = ((weights > 0) & fresh).sum(axis=1) >= fewest
    return enough


def problem_of(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"]) -> Problem:
    """The reduced problem of each row of weights, with bounds."""
    sw = np.sqrt(weights)
    total = weights.sum(axis=1, keepdims=True)
    slope = sw * (x - weights @ x[:, None] / total)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    Q = np.stack([sw / np.sqrt(total), slope], axis=-1)
    # The INSIDE-th point from either end of each row.
    order = np.cumsum(weights > 0, axis=1)
    first = (order >= INSIDE).argmax(axis=1)
    last = (order > order[:, -1:] - INSIDE).argmax(axis=1)
    low = np.stack([x[first], np.full(len(first), LOG_F_MIN)], axis=-1)
    high = np.stack([x[last], np.full(len(last), LOG_F_MAX)], axis=-1)
    return Problem(x, sw, Q, freed_of(Q, sw * y), low, high)


def _starts(p: Problem) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, "M 2"]]:
    """Where the searches start, and for which row: the lowest separate valleys of the grid along log t_d."""
    ts = np.linspace(p.low[:, 0].min(), p.high[:, 0].max(), GRID_T)
    fs = np.linspace(LOG_F_MIN, LOG_F_MAX, GRID_F)
    left = np.where((ts >= p.low[:, :1]) & (ts <= p.high[:, :1]), _scan(p, ts, fs).transpose(1, 0, 2), np.inf)
    profile, width_of = left.min(axis=0), left.argmin(axis=0)  # [B T]
    padded = np.pad(profile, ((0, 0), (1, 1)), constant_values=np.inf)
    valley = (profile <= padded[:, :-2]) & (profile <= padded[:, 2:]) & np.isfinite(profile)
    depth = np.where(valley, profile, np.inf)
    rank = depth.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
    row, place = np.nonzero(valley & (rank < STARTS) & (depth <= HOPELESS * depth.min(axis=1, keepdims=True)))
    start = np.stack([ts[place], fs[width_of[row, place]]], axis=-1)
    return row, start


def _scan(p: Problem, ts: Float[np.ndarray, " T"], fs: Float[np.ndarray, " F"]) -> Float[np.ndarray, "B F T"]:
    """Residual sum of squares on the whole grid, one width at a time: small arrays stay in the cache."""
    columns = (np.concatenate([p.Q, p.y[..., None]], axis=2) * p.sw[..., None]).transpose(0, 2, 1)  # [B 3 n]
    squares, total = p.sw**2, (p.y**2).sum(axis=1, keepdims=True)
    left = np.empty((len(p.y), len(fs), len(ts)))
    for k, f in enumerate(np.exp(fs)):
        h = hinge_and_slope(p.x, ts[:, None], np.full((len(ts), 1), f))[0].T  # [n T]
        on_columns, whole = columns @ h, squares @ (h * h)
        size = whole - (on_columns[:, :2] ** 2).sum(axis=1)
        # A hinge outside the points is a straight line: what is left of it is rounding.
        usable = size > 1e-9 * np.maximum(whole, TINY)
        left[:, k] = total - np.where(usable, on_columns[:, 2] ** 2 / np.where(usable, size, 1.0), 0.0)
    return np.asarray(np.maximum(left, 0.0))


def _parameters(p: Problem, y: Float[np.ndarray, " n"], point: Float[np.ndarray, "B 2"]) -> Float[np.ndarray, "B 6"]:
    """All parameters and the residual sum, from the two nonlinear ones by linear least squares."""
    log_t, log_f = point[:, :1], point[:, 1:]
    h, _ = hinge_and_slope(p.x, log_t, np.exp(log_f))
    free = freed_of(p.Q, p.sw * h)
    g = (free * p.y).sum(axis=1) / np.maximum((free**2).sum(axis=1), TINY)
    at_zero, slope = line_left(p, y - g[:, None] * h)
    log_L_d = at_zero + slope * log_t[:, 0]
    residual = p.y - g[:, None] * free
    rss = (residual**2).sum(axis=1)
    return np.stack([log_L_d, -slope, -slope - g, log_t[:, 0], log_f[:, 0], rss], axis=-1)


def line_left(p: Problem, rest: Float[np.ndarray, "B n"]) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
    """Level at log step 0, and slope, of the straight line through the log losses minus the hinges."""
    on_q = np.einsum("bnk,bn->bk", p.Q, p.sw * rest)
    level, slope = on_q[:, 0] / np.linalg.norm(p.sw, axis=1), on_q[:, 1] / (p.Q[..., 1] * p.sw * p.x).sum(axis=1)
    centre = (p.sw**2 * p.x).sum(axis=1) / (p.sw**2).sum(axis=1)
    return level - slope * centre, slope


def _edges(p: Problem, point: Float[np.ndarray, "B 2"]) -> Int[np.ndarray, "B 2"]:
    near = 1e-6
    return (point >= p.high - near).astype(np.int64) - (point <= p.low + near)
