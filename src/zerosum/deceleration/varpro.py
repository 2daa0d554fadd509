"""Least squares for the one-break law by variable projection, many weightings of the same points at once.

Given (log t_d, log f), the rest is linear: y = a + s x + g h, with h the hinge at t_d of width f. So only these two
are searched: first on a grid, then by damped Newton steps from the best cells of the grid.

Letters: B weightings of the points, n points, C cells of the grid, K starts, M = B K searches.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.deceleration.bnsl import BNSL

LOG_F_MIN, LOG_F_MAX = float(np.log(0.03)), float(np.log(3.0))  # half a log bin; a bend over more than two decades
GRID_T, GRID_F = 64, 7
STARTS = 4
MAX_STEPS = 60
MIN_POINTS = 7  # five parameters, and some freedom left
INSIDE = 3  # points that must stay on either side of the break
TINY = 1e-300


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

    def law(self, k: int) -> BNSL:
        """The k-th solution as a law; its numbers are NaN where there is none."""
        return BNSL.from_rates(
            log_L_d=float(self.log_L_d[k]),
            r_before=float(self.r_before[k]),
            r_d=float(self.r_d[k]),
            log_t_d=float(self.log_t_d[k]),
            log_f=float(self.log_f[k]),
        )


@dataclass(frozen=True)
class _Problem:
    """M searches. sw: [M n] roots of weights. Q: [M n 2] orthonormal basis of (1, x). y: [M n] freed of it.

    low, high: [M 2] bounds of (log t_d, log f).
    """

    x: Float[np.ndarray, " n"]
    sw: Float[np.ndarray, "M n"]
    Q: Float[np.ndarray, "M n 2"]
    y: Float[np.ndarray, "M n"]
    low: Float[np.ndarray, "M 2"]
    high: Float[np.ndarray, "M 2"]

    def rows(self, index: Int[np.ndarray, " R"]) -> "_Problem":
        return _Problem(self.x, self.sw[index], self.Q[index], self.y[index], self.low[index], self.high[index])


def solve(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"]) -> Solutions:
    """Fit y by the one-break law in x, once for each row of weights, each from the best of several starts.

    x: [n] log steps, not falling. y: [n] log losses. weights: [B, n], 0 leaves a point out.
    """
    enough = _enough(x, weights)
    B = len(weights)
    found = np.full((B, 6), np.nan)
    edges = np.zeros((B, 2), dtype=np.int64)
    if enough.any():
        problem = _problem(x, y, weights[enough])
        starts = _scan(problem)
        K = starts.shape[1]
        many = problem.rows(np.repeat(np.arange(len(starts)), K))
        point, goal = _refine(many, starts.reshape(-1, 2))
        best = goal.reshape(-1, K).argmin(axis=1) + K * np.arange(len(starts))
        found[enough] = _parameters(x, y, weights[enough], point[best])
        edges[enough] = _edges(problem, point[best])
    log_L_d, r_before, r_d, log_t_d, log_f, rss = found.T
    return Solutions(log_L_d, r_before, r_d, log_t_d, log_f, rss, edges[:, 0] != 0, edges[:, 1])


def _enough(x: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"]) -> Bool[np.ndarray, " B"]:
    """Points at the same step count once: a break needs different steps around it."""
    fresh = np.diff(x, prepend=-np.inf) > 0
    enough: Bool[np.ndarray, " B"] = ((weights > 0) & fresh).sum(axis=1) >= MIN_POINTS
    return enough


def _problem(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], weights: Float[np.ndarray, "B n"]) -> _Problem:
    sw = np.sqrt(weights)
    total = weights.sum(axis=1, keepdims=True)
    flat = sw / np.sqrt(total)
    slope = sw * (x - weights @ x[:, None] / total)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    Q = np.stack([flat, slope], axis=-1)
    # The INSIDE-th point from either end of each row.
    order = np.cumsum(weights > 0, axis=1)
    first = (order >= INSIDE).argmax(axis=1)
    last = (order > order[:, -1:] - INSIDE).argmax(axis=1)
    low = np.stack([x[first], np.full(len(x[first]), LOG_F_MIN)], axis=-1)
    high = np.stack([x[last], np.full(len(x[last]), LOG_F_MAX)], axis=-1)
    return _Problem(x, sw, Q, _off(Q, sw * y), low, high)


def _off(Q: Float[np.ndarray, "M n k"], v: Float[np.ndarray, "M n"]) -> Float[np.ndarray, "M n"]:
    """The part of v that no column of the orthonormal Q explains."""
    rest: Float[np.ndarray, "M n"] = v - np.einsum("mnk,mk->mn", Q, np.einsum("mnk,mn->mk", Q, v))
    return rest


def _scan(p: _Problem) -> Float[np.ndarray, "B K 2"]:
    """Where on the grid the searches of each row should start: the best separate valleys along log t_d."""
    ts = np.linspace(p.low[:, 0].min(), p.high[:, 0].max(), GRID_T)
    fs = np.linspace(LOG_F_MIN, LOG_F_MAX, GRID_F)
    width = np.exp(fs)[:, None, None]
    h, _ = _hinge(p.x, ts[:, None], width)  # [F T n]
    h = h.reshape(-1, len(p.x))
    y = p.sw * p.y
    on_q = np.einsum("bnk,cn->bck", p.Q * p.sw[..., None], h, optimize=True)
    size = (p.sw**2) @ (h * h).T - (on_q**2).sum(axis=-1)
    usable = size > 1e-9 * np.maximum((p.sw**2) @ (h * h).T, TINY)
    gain = np.where(usable, (y @ h.T) ** 2 / np.where(usable, size, 1.0), 0.0).reshape(-1, GRID_F, GRID_T)
    inside = (ts >= p.low[:, :1]) & (ts <= p.high[:, :1])
    gain = np.where(inside[:, None, :], gain, -1.0)
    profile, width_of = gain.max(axis=1), gain.argmax(axis=1)  # [B T]
    padded = np.pad(profile, ((0, 0), (1, 1)), constant_values=-2.0)
    peak = (profile >= padded[:, :-2]) & (profile >= padded[:, 2:])
    best = np.argsort(np.where(peak, -profile, np.inf), axis=1, kind="stable")[:, :STARTS]
    start = np.stack([ts[best], fs[np.take_along_axis(width_of, best, axis=1)]], axis=-1)
    clipped: Float[np.ndarray, "B K 2"] = np.clip(start, p.low[:, None, :], p.high[:, None, :])
    return clipped


def _hinge(
    x: Float[np.ndarray, " n"], t: Float[np.ndarray, "*m 1"], f: Float[np.ndarray, "*#m 1"]
) -> tuple[Float[np.ndarray, "*m n"], Float[np.ndarray, "*m n"]]:
    """The hinge of `bnsl.hinge` and its slope (the logistic function), which share the costly exponential."""
    u = (x - t) / f
    e = np.exp(-np.abs(u))
    slope = np.where(u >= 0, 1.0, e) / (1.0 + e)
    return f * (np.maximum(u, 0.0) + np.log1p(e)), slope


def _refine(p: _Problem, point: Float[np.ndarray, "M 2"]) -> tuple[Float[np.ndarray, "M 2"], Float[np.ndarray, " M"]]:
    """Damped Newton steps on (log t_d, log f) inside the bounds, all searches side by side until each stands still.

    Gauss-Newton would be the usual choice, but the residuals of loss curves are smooth and not small beside the
    curvature of the model: it needs hundreds of steps where Newton needs ten.
    """
    point = point.copy()
    goal, gradient, hessian = _reduced(p, point)
    damping = np.full(len(point), 1e-3)
    active = np.arange(len(point))
    for _ in range(MAX_STEPS):
        q = p.rows(active)
        trial = _step(q, point[active], gradient[active], hessian[active], damping[active])
        new_goal, new_gradient, new_hessian = _reduced(q, trial)
        better = new_goal <= goal[active]
        done = np.abs(trial - point[active]).max(axis=1) < 1e-10
        accept = active[better]
        point[accept], goal[accept] = trial[better], new_goal[better]
        gradient[accept], hessian[accept] = new_gradient[better], new_hessian[better]
        damping[active] = np.where(better, damping[active] / 10, np.maximum(damping[active], 1e-6) * 10)
        active = active[~done]
        if len(active) == 0:
            break
    return point, goal


def _reduced(
    p: _Problem, point: Float[np.ndarray, "M 2"]
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, "M 2"], Float[np.ndarray, "M 2 2"]]:
    """What is left to minimise when the linear part is solved: -(h.y)^2 / (h.h), its gradient and its Hessian.

    h is the hinge freed of constant and slope (as y is); the residual sum of squares is y.y plus this.
    """
    f = np.exp(point[:, 1:])
    away = p.x - point[:, :1]
    h, s = _hinge(p.x, point[:, :1], f)
    bend = s * (1 - s)
    by_f = h - away * s
    # Derivatives of h: by log t_d, by log f; then twice by t, by both, twice by f.
    first = p.sw[:, None, :] * np.stack([-s, by_f], axis=1)
    cross = bend * away / f
    second = p.sw[:, None, :] * np.stack([bend / f, cross, by_f + away * cross], axis=1)
    h = _off(p.Q, p.sw * h)
    a = np.einsum("mn,mn->m", h, p.y)
    size = np.maximum(np.einsum("mn,mn->m", h, h), TINY)
    a1, a2 = (np.einsum("mkn,mn->mk", d, p.y) for d in (first, second))
    s1, hh2 = 2 * np.einsum("mkn,mn->mk", first, h), np.einsum("mkn,mn->mk", second, h)
    on_q = first @ p.Q
    s2 = 2 * (first @ first.transpose(0, 2, 1) - on_q @ on_q.transpose(0, 2, 1) + _symmetric(hh2))
    g, size1, size2 = a / size, s1 / size[:, None], s2 / size[:, None, None]
    gradient = g[:, None] * (g[:, None] * s1 - 2 * a1)
    mixed = a1[:, :, None] * size1[:, None, :]
    hessian = (
        -2 * (a1[:, :, None] * a1[:, None, :] / size[:, None, None] + g[:, None, None] * _symmetric(a2))
        + 2 * g[:, None, None] * (mixed + mixed.transpose(0, 2, 1))
        + (a * g)[:, None, None] * (size2 - 2 * size1[:, :, None] * size1[:, None, :])
    )
    return -a * g, gradient, hessian


def _symmetric(v: Float[np.ndarray, "M 3"]) -> Float[np.ndarray, "M 2 2"]:
    matrix: Float[np.ndarray, "M 2 2"] = v[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
    return matrix


def _step(
    p: _Problem,
    point: Float[np.ndarray, "M 2"],
    gradient: Float[np.ndarray, "M 2"],
    hessian: Float[np.ndarray, "M 2 2"],
    damping: Float[np.ndarray, " M"],
) -> Float[np.ndarray, "M 2"]:
    """The next trial point. A parameter on its bound that wants further out rests, so that the other still moves."""
    rests = ((point <= p.low) & (gradient > 0)) | ((point >= p.high) & (gradient < 0))
    aa, bb = hessian[:, 0, 0], hessian[:, 1, 1]
    ab = np.where(rests.any(axis=1), 0.0, hessian[:, 0, 1])
    # Shift the curvature until it is positive: the lower eigenvalue of a 2 x 2 matrix, in closed form.
    lowest = (aa + bb) / 2 - np.hypot((aa - bb) / 2, ab)
    size = np.maximum(np.maximum(np.abs(aa), np.abs(bb)), TINY)
    shift = np.maximum(-lowest, 0.0) + (damping + 1e-12) * size
    aa, bb = aa + shift, bb + shift
    g = np.where(rests, 0.0, gradient)
    step = np.stack([bb * g[:, 0] - ab * g[:, 1], aa * g[:, 1] - ab * g[:, 0]], axis=-1)
    step /= np.maximum(aa * bb - ab * ab, TINY)[:, None]
    trial: Float[np.ndarray, "M 2"] = np.clip(point - np.clip(step, -1.0, 1.0), p.low, p.high)
    return trial


def _parameters(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "B n"],
    point: Float[np.ndarray, "B 2"],
) -> Float[np.ndarray, "B 6"]:
    """All parameters and the residual sum, from the two nonlinear ones by an ordinary least-squares solve."""
    out = np.empty((len(point), 6))
    for b, (log_t, log_f) in enumerate(point):
        h, _ = _hinge(x, np.array([log_t]), np.array([np.exp(log_f)]))
        sw = np.sqrt(weights[b])
        A = np.stack([np.ones_like(x), x - log_t, h], axis=-1)  # the constant is then log L_d itself
        (log_L_d, s, g), *_ = np.linalg.lstsq(sw[:, None] * A, sw * y, rcond=None)
        residual = sw * (y - A @ np.array([log_L_d, s, g]))
        out[b] = log_L_d, -s, -s - g, log_t, log_f, residual @ residual
    return out


def _edges(p: _Problem, point: Float[np.ndarray, "B 2"]) -> Int[np.ndarray, "B 2"]:
    near = 1e-6
    return (point >= p.high - near).astype(np.int64) - (point <= p.low + near)
