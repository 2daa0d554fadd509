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
    rest: Float[np.ndarray, "M n"] = v - (Q @ (v[:, None] @ Q).transpose(0, 2, 1))[..., 0]
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
    bend = s * (1 - s) / f
    by_f = h - away * s
    cross = bend * away
    # y and h; derivatives of h by log t_d, by log f; then twice by t, by both, twice by f.
    v = np.empty((len(point), 7, len(p.x)))
    v[:, 0], v[:, 1], v[:, 2], v[:, 3], v[:, 4], v[:, 5], v[:, 6] = p.y, h, -s, by_f, bend, cross, by_f + away * cross
    v[:, 1:] *= p.sw[:, None, :]
    v[:, 1] = freed_of(p.Q, v[:, 1])
    products = v @ v[:, :4].transpose(0, 2, 1)  # [M 7 4]
    on_q = v[:, 2:4] @ p.Q
    a, size = products[:, 1, 0], np.maximum(products[:, 1, 1], TINY)
    g = (a / size)[:, None]
    gradient = 2 * g * (g * products[:, 2:4, 1] - products[:, 2:4, 0])
    # With w = (gradient of a) - g (gradient of size): the Hessian of -a^2 / size, in products of the vectors above.
    w = products[:, 2:4, 0] - 2 * g * products[:, 2:4, 1]
    curved = g * products[:, 4:, 1] - products[:, 4:, 0]
    inner = products[:, 2:4, 2:4] - on_q @ on_q.transpose(0, 2, 1)
    g = g[:, None]
    hessian = 2 * g * (g * inner + curved[:, [0, 1, 1, 2]].reshape(-1, 2, 2))
    hessian -= (2 / size)[:, None, None] * w[:, :, None] * w[:, None, :]
    return -a * g[:, 0, 0], gradient, hessian
