"""Reduced objective of the one-break fit: its linear part solved, two parameters remain.

Letters: n points, M searches side by side, k = 2 directions (log t_d, log f).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

TINY = 1e-300


@dataclass(frozen=True)
class Problem:
    """M searches. sw: [M n] roots of weights. Q: [M n 2] orthonormal basis of sw (1, x). y: [M n] sw y freed of it.

    low, high: [M 2] bounds of (log t_d, log f).
    """

    x: Float[np.ndarray, " n"]
    sw: Float[np.ndarray, "M n"]
    Q: Float[np.ndarray, "M n 2"]
    y: Float[np.ndarray, "M n"]
    low: Float[np.ndarray, "M 2"]
    high: Float[np.ndarray, "M 2"]

    def rows(self, index: Int[np.ndarray, " R"]) -> "Problem":
        """The searches of some rows, which may repeat."""
        return Problem(self.x, self.sw[index], self.Q[index], self.y[index], self.low[index], self.high[index])


def freed_of(Q: Float[np.ndarray, "M n k"], v: Float[np.ndarray, "M n"]) -> Float[np.ndarray, "M n"]:
    """The part of v that no column of the orthonormal Q explains."""
    rest: Float[np.ndarray, "M n"] = v - np.einsum("mnk,mk->mn", Q, np.einsum("mnk,mn->mk", Q, v))
    return rest


def hinge_and_slope(
    x: Float[np.ndarray, " n"], t: Float[np.ndarray, "*m 1"], f: Float[np.ndarray, "*m 1"]
) -> tuple[Float[np.ndarray, "*m n"], Float[np.ndarray, "*m n"]]:
    """The hinge of `bnsl.hinge` and its slope (the logistic function), which share the costly exponential."""
    u = (x - t) / f
    e = np.exp(-np.abs(u))
    slope = np.where(u >= 0, 1.0, e) / (1.0 + e)
    return f * (np.maximum(u, 0.0) + np.log1p(e)), slope


def reduced_objective(
    p: Problem, point: Float[np.ndarray, "M 2"]
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, "M 2"], Float[np.ndarray, "M 2 2"]]:
    """The reduced objective -(h.y)^2 / (h.h), its gradient and its Hessian.

    h is the hinge freed of constant and slope (as y is); the residual sum of squares is y.y plus this.
    """
    f = np.exp(point[:, 1:])
    away = p.x - point[:, :1]
    h, s = hinge_and_slope(p.x, point[:, :1], f)
    bend = s * (1 - s)
    by_f = h - away * s
    # Derivatives of h: by log t_d, by log f; then twice by t, by both, twice by f.
    first = p.sw[:, None, :] * np.stack([-s, by_f], axis=1)
    cross = bend * away / f
    second = p.sw[:, None, :] * np.stack([bend / f, cross, by_f + away * cross], axis=1)
    h = freed_of(p.Q, p.sw * h)
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
