"""Reduced objective of the fit of n breaks: its linear part solved, places and widths of the breaks remain.

As `reduced.py`, for any number of hinges; slower for one.
Letters: M searches side by side, n points, K hinges, q = 2 K parameters (log t_1, log f_1, log t_2, ...).
"""

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.newton import TINY, Derivatives
from zerosum.deceleration.reduced import Problem, hinge_and_slope

ALIKE = 0.1  # sine of the angle to those before it; a hinge with less of its own counts as a double of them


def hinges_objective(p: Problem, theta: Float[np.ndarray, "M q"]) -> Derivatives:
    """Half the residual sum of squares at the best level, slopes and bends; its gradient and its Hessian.

    Infinite where two hinges are so much alike that their bends could grow without bound against each other.
    The Hessian is the Schur complement of that in all parameters: exact, not Gauss-Newton's.
    """
    K = theta.shape[1] // 2
    columns, first, second = _hinges(p, theta)
    Q, R = np.linalg.qr(_freed(p, columns).transpose(0, 2, 1))  # [M n K], [M K K]
    own = np.abs(np.diagonal(R, axis1=1, axis2=2)) / np.maximum(np.linalg.norm(R, axis=1), TINY)
    double = (own < ALIKE).any(axis=1) | ~(own > 0).all(axis=1)
    R = np.where(double[:, None, None], np.eye(K), R)
    on_q = np.einsum("mnk,mn->mk", Q, p.y)
    bend = np.linalg.solve(R, on_q[..., None])[..., 0]
    residual = p.y - np.einsum("mnk,mk->mn", Q, on_q)
    goal = np.where(double, np.inf, (residual**2).sum(axis=1) / 2)
    slope = np.einsum("mkdn,mn->mkd", first, residual)  # [M K 2]
    gradient = -(bend[..., None] * slope).reshape(-1, 2 * K)
    change = _freed(p, (bend[..., None, None] * first).reshape(len(theta), 2 * K, -1))  # [M q n]
    mixed = np.zeros((len(theta), K, K, 2))
    mixed[:, range(K), range(K)] = slope
    linear = change @ Q - np.linalg.solve(R.transpose(0, 2, 1), mixed.reshape(-1, K, 2 * K)).transpose(0, 2, 1)
    hessian = change @ change.transpose(0, 2, 1) - linear @ linear.transpose(0, 2, 1)
    curved = bend[..., None] * np.einsum("mkdn,mn->mkd", second, residual)  # [M K 3]
    for k in range(K):
        hessian[:, 2 * k : 2 * k + 2, 2 * k : 2 * k + 2] -= curved[:, k][:, [0, 1, 1, 2]].reshape(-1, 2, 2)
    return goal, gradient, hessian


def bends(p: Problem, theta: Float[np.ndarray, "M q"]) -> Float[np.ndarray, "M K"]:
    """How much each hinge changes the slope of log loss over log step, by least squares."""
    freed = _freed(p, _hinges(p, theta)[0]).transpose(0, 2, 1)
    Q, R = np.linalg.qr(freed)
    bend: Float[np.ndarray, "M K"] = np.linalg.solve(R, np.einsum("mnk,mn->mk", Q, p.y)[..., None])[..., 0]
    return bend


def _hinges(
    p: Problem, theta: Float[np.ndarray, "M q"]
) -> tuple[Float[np.ndarray, "M K n"], Float[np.ndarray, "M K 2 n"], Float[np.ndarray, "M K 3 n"]]:
    """Weighted hinges; their derivatives by log t and log f; and those twice by log t, by both, twice by log f."""
    at, width = theta[:, 0::2, None], np.exp(theta[:, 1::2, None])
    away = p.x - at
    h, s = hinge_and_slope(p.x, at, width)
    bend = s * (1 - s)
    by_f, cross = h - away * s, bend * away / width
    sw = p.sw[:, None, :]
    first = sw[:, None] * np.stack([-s, by_f], axis=2)
    second = sw[:, None] * np.stack([bend / width, cross, by_f + away * cross], axis=2)
    return sw * h, first, second


def _freed(p: Problem, v: Float[np.ndarray, "M k n"]) -> Float[np.ndarray, "M k n"]:
    """Each of k columns with level and slope projected out."""
    rest: Float[np.ndarray, "M k n"] = v - (v @ p.Q) @ p.Q.transpose(0, 2, 1)
    return rest
