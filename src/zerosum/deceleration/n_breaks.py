"""The law with n breaks: log L = log b - r x - sum_k c_k h_k(x), x the log step, h_k a hinge at log t_k of width f_k.

Source: Caballero et al. 2023, a = 0: L = b t^(-c_0) prod_k (1 + (t/d_k)^(1/f_k))^(-c_k f_k).

Found one break after the other. Each time all pairs of places and widths on a grid are tried for the two breaks least
settled (linear least squares, so that a pair costs a few multiplications), and the best are refined together.

Letters: B weightings of the points, n points, K breaks, c cells of the grid, T places, M searches.
"""

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from jaxtyping import Bool, Float

from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.hinges import ALIKE, bends, hinges_objective
from zerosum.deceleration.newton import TINY, minimise
from zerosum.deceleration.reduced import Problem, hinge_and_slope
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN, enough_points, line_left, problem_of, solve

PLACES, WIDTHS = 40, 5
STARTS = 6  # searches for each number of breaks, from the best separate valleys of the grid


@dataclass(frozen=True)
class BreakSolutions:
    """The best fit of K breaks for each of B weightings; NaN where there are too few points.

    log_b: [B] log nats at step 1. rates: [B, K + 1] log-log rates, before the first break and after each. log_t, log_f:
    [B K] in the order of steps. rss: [B] weighted sum of squared residuals. at_edge: [B K] break on the edge.
    """

    log_b: Float[np.ndarray, " B"]
    rates: Float[np.ndarray, "B segments"]
    log_t: Float[np.ndarray, "B K"]
    log_f: Float[np.ndarray, "B K"]
    rss: Float[np.ndarray, " B"]
    at_edge: Bool[np.ndarray, "B K"]

    @property
    def log_loss_at_breaks(self) -> Float[np.ndarray, "B K"]:
        """Log loss where the straight lines before and after each break cross."""
        places = np.concatenate([np.zeros((len(self.log_t), 1)), self.log_t], axis=1)
        fallen: Float[np.ndarray, "B K"] = np.cumsum(self.rates[:, :-1] * np.diff(places, axis=1), axis=1)
        return np.asarray(self.log_b[:, None] - fallen)

    @property
    def theta(self) -> Float[np.ndarray, "B p"]:
        """log b, r, c_1 .. c_K, log t_1, log f_1, log t_2, ... as `log_loss` takes them."""
        pairs = np.stack([self.log_t, self.log_f], axis=-1).reshape(len(self.log_b), -1)
        return np.concatenate([self.log_b[:, None], self.rates[:, :1], np.diff(self.rates, axis=1), pairs], axis=1)


def parameter_names(K: int) -> tuple[str, ...]:
    """Names of the parameters of `log_loss`."""
    numbers = range(1, K + 1)
    pairs = tuple(name for k in numbers for name in (f"log_t{k}", f"log_f{k}"))
    return ("log_b", "r", *(f"g{k}" for k in numbers), *pairs)


def log_loss(theta: Float[np.ndarray, " p"], x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Log of the loss in nats at each log step; theta as `BreakSolutions.theta` gives it."""
    K = (len(theta) - 2) // 3
    y = theta[0] - theta[1] * x
    for k in range(K):
        at, log_f = theta[2 + K + 2 * k : 4 + K + 2 * k]
        y = y - theta[2 + k] * hinge(x, float(at), float(np.exp(log_f)))
    return np.asarray(y)


def solve_breaks(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"], K: int
) -> BreakSolutions:
    """Fit y by the law with K breaks (1 or more) in x, once for each row of weights.

    x: [n] log steps, not falling. y: [n] log losses. weights: [B n], 0 leaves a point out.
    """
    B = len(weights)
    enough = enough_points(x, weights, 3 * K + 4)
    parameters = tuple(np.full(shape, np.nan) for shape in ((B,), (B, K + 1), (B, K), (B, K), (B,)))
    at_edge = np.zeros((B, K), dtype=bool)
    if enough.any():
        problem = problem_of(x, y, weights[enough])
        theta = _found(*(np.asarray(given, float).tobytes() for given in (x, y, weights[enough])), K)
        theta = np.stack([pairs[pairs[:, 0].argsort(kind="stable")] for pairs in theta.reshape(len(theta), K, 2)])
        theta = theta.reshape(len(theta), 2 * K)
        for whole, part in zip(parameters, _parameters(problem, y, theta), strict=True):
            whole[enough] = part
        at = theta[:, 0::2]
        at_edge[enough] = (at <= problem.low[:, :1] + 1e-6) | (at >= problem.high[:, :1] - 1e-6)
    log_b, rates, log_t, log_f, rss = parameters
    return BreakSolutions(log_b, rates, log_t, log_f, rss, at_edge)


@lru_cache(maxsize=4)
def _found(x: bytes, y: bytes, weights: bytes, K: int) -> Float[np.ndarray, "B q"]:
    """Places and widths of K breaks in the order in which they were found; kept, because K + 1 breaks start there."""
    at, seen = np.frombuffer(x), np.frombuffer(y)
    rows = np.frombuffer(weights).reshape(-1, len(at))
    if K == 0:
        return np.zeros((len(rows), 0))
    if K == 1:
        single = solve(at, seen, rows)
        return np.stack([single.log_t_d, single.log_f], axis=-1)
    fewer, before = (_found(x, y, weights, number) for number in (K - 1, K - 2))
    return _with_one_more(problem_of(at, seen, rows), fewer, before)


def _with_one_more(
    p: Problem, theta: Float[np.ndarray, "B q"], before: Float[np.ndarray, "B q_before"]
) -> Float[np.ndarray, "B q_after"]:
    """The best fit with one more break. theta, before: the best with the present number, and with one fewer. The order
    of the hinges is that in which they were found: each has something of its own beside those before it (`ALIKE`).

    As it starts, among others, from `theta` and the best place for one more, it is never worse.
    """
    row, starts = [], []
    for b in range(len(theta)):
        grid = _Grid(p.rows(np.array([b])))
        without_one = [np.delete(theta[b], [k, k + 1]) for k in range(0, theta.shape[1], 2)]
        bases = [before[b], *without_one] if len(without_one) > 1 else [before[b]]
        tried = [np.append(theta[b], cell) for cell in grid.best_cells(theta[b])]
        tried += [np.append(base, pair) for base in bases for pair in grid.best_pairs(base)]
        row += [b] * len(tried)
        starts += tried
    which, start = np.array(row), np.array(starts)
    low, high = (np.tile(bound, (1, start.shape[1] // 2)) for bound in (p.low, p.high))
    goal = hinges_objective(p.rows(which), start)[0]
    order = np.lexsort((goal, which))
    rank = np.arange(len(order)) - np.searchsorted(which[order], which[order])
    chosen = order[rank < STARTS]
    which, start = which[chosen], start[chosen]
    searches = p.rows(which)
    end, goal = minimise(lambda m: partial(hinges_objective, searches.rows(m)), start, low[which], high[which])
    order = np.lexsort((goal, which))
    best: Float[np.ndarray, "B q_after"] = end[order[np.diff(which[order], prepend=-1) > 0]]
    return best


class _Grid:
    """Hinges on a grid of places and widths, for one weighting of the points."""

    def __init__(self, p: Problem) -> None:
        ts, fs = np.linspace(p.low[0, 0], p.high[0, 0], PLACES), np.linspace(LOG_F_MIN, LOG_F_MAX, WIDTHS)
        self.cells = np.stack([np.tile(ts, WIDTHS), np.repeat(fs, PLACES)], axis=-1)  # [c 2], widths outside
        self.p = p
        self.free = self._freed_of_line(self.cells)
        self.size = np.linalg.norm(self.free, axis=1)

    def best_cells(self, base: Float[np.ndarray, " q"]) -> Float[np.ndarray, "k 2"]:
        """Where one more hinge beside those of `base` explains most: the best valleys along the places."""
        unit, usable = self._beside(base)
        gain = np.where(usable, (unit @ self.p.y[0]) ** 2, -1.0).reshape(WIDTHS, PLACES)
        place = _peaks(gain.max(axis=0))
        return np.asarray(self.cells[gain[:, place].argmax(axis=0) * PLACES + place])

    def best_pairs(self, base: Float[np.ndarray, " q"]) -> Float[np.ndarray, "k 4"]:
        """The same for two more hinges at once."""
        unit, usable = self._beside(base)
        c, cosine = unit @ self.p.y[0], unit @ unit.T
        own = 1 - cosine**2
        explained = (c[:, None] ** 2 + c**2 - 2 * cosine * np.outer(c, c)) / np.maximum(own, TINY)
        gain = np.where((own > ALIKE**2) & usable[:, None] & usable, explained, -1.0)
        by_place = gain.reshape(WIDTHS, PLACES, WIDTHS, PLACES)
        i, j = np.unravel_index(_peaks(np.triu(by_place.max(axis=2).max(axis=0), 1)), (PLACES, PLACES))
        wide_i, wide_j = np.divmod(by_place[:, i, :, j].reshape(len(i), -1).argmax(axis=1), WIDTHS)
        return np.concatenate([self.cells[wide_i * PLACES + i], self.cells[wide_j * PLACES + j]], axis=1)

    def _beside(self, base: Float[np.ndarray, " q"]) -> tuple[Float[np.ndarray, "c n"], Bool[np.ndarray, " c"]]:
        """The part of each hinge outside line and base, as unit vectors; and whether it is large enough to use."""
        rest = self.free
        if len(base):
            Q = np.linalg.qr(self._freed_of_line(base.reshape(-1, 2)).T)[0]
            rest = rest - (rest @ Q) @ Q.T
        size = np.linalg.norm(rest, axis=1)
        usable = (size > ALIKE * self.size) & (self.size > 1e-9 * len(self.p.x))
        return rest / np.maximum(size, TINY)[:, None], usable

    def _freed_of_line(self, cells: Float[np.ndarray, "c 2"]) -> Float[np.ndarray, "c n"]:
        h = self.p.sw[0] * hinge_and_slope(self.p.x, cells[:, :1], np.exp(cells[:, 1:]))[0]
        free: Float[np.ndarray, "c n"] = h - (h @ self.p.Q[0]) @ self.p.Q[0].T
        return free


def _peaks(gain: Float[np.ndarray, "..."], most: int = STARTS) -> np.ndarray:
    """Flat indices of the highest local maxima, the highest first."""
    padded = np.pad(gain, 1, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3,) * gain.ndim).reshape(*gain.shape, -1)
    peaks = np.flatnonzero((gain >= around.max(axis=-1)) & (gain >= 0))
    return peaks[(-gain.ravel()[peaks]).argsort(kind="stable")][:most]


def _parameters(p: Problem, y: Float[np.ndarray, " n"], theta: Float[np.ndarray, "B q"]) -> tuple[np.ndarray, ...]:
    """log_b, rates, log_t, log_f, rss of each row, by linear least squares."""
    log_t, log_f = theta[:, 0::2], theta[:, 1::2]
    c = -bends(p, theta)  # of the rate: a bend up slows the fall
    h = np.stack([hinge_and_slope(p.x, log_t[:, k : k + 1], np.exp(log_f[:, k : k + 1]))[0] for k in range(c.shape[1])])
    rest = y + np.einsum("bk,kbn->bn", c, h)
    log_b, slope = line_left(p, rest)
    rates = np.cumsum(np.concatenate([-slope[:, None], c], axis=1), axis=1)
    residual = p.sw * (rest - log_b[:, None] - slope[:, None] * p.x)
    return log_b, rates, log_t, log_f, (residual**2).sum(axis=1)
