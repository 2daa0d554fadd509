"""The two-break law: two hinges on one line. y = a - r x - g1 h1(x) - g2 h2(x).

Letters: n points, g cells of the grid.
"""

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.varpro import LOG_F_MAX, LOG_F_MIN

Theta = Float[np.ndarray, " p"]
Points = Float[np.ndarray, " n"]
PLACES, WIDTHS = 16, (0.1, 0.4)  # of the grid for either break; log widths come after


def two_breaks(theta: Theta, x: Points) -> Points:
    """log L; theta = level, r, g1, g2, log t1, log f1, log t2, log f2. Source: Caballero et al. 2023, n = 2, a = 0."""
    level, r, g1, g2, at1, log_f1, at2, log_f2 = (float(value) for value in theta)
    first, second = hinge(x, at1, float(np.exp(log_f1))), hinge(x, at2, float(np.exp(log_f2)))
    return np.asarray(level - r * x - g1 * first - g2 * second)


def two_break_starts(x: Points, y: Points) -> list[Theta]:
    """The best three cells of a grid over places and widths of both breaks, each solved by linear least squares."""
    places = np.linspace(x[2], x[-3], PLACES)
    cells = [(at, width) for width in WIDTHS for at in places]
    hinges = np.stack([hinge(x, float(at), width) for at, width in cells])  # [g n]
    i, j = np.nonzero(np.array([[one[0] < other[0] for other in cells] for one in cells]))
    A = np.stack([np.broadcast_to(np.ones_like(x), (len(i), len(x))), np.broadcast_to(-x, (len(i), len(x))),
                  -hinges[i], -hinges[j]], axis=-1)  # fmt: skip
    normal = A.transpose(0, 2, 1) @ A + 1e-9 * np.eye(4)
    linear = np.linalg.solve(normal, (A.transpose(0, 2, 1) @ y)[..., None])[..., 0]
    rss = ((np.einsum("gnk,gk->gn", A, linear) - y) ** 2).sum(axis=1)
    return [
        np.array([*linear[k], cells[i[k]][0], np.log(cells[i[k]][1]), cells[j[k]][0], np.log(cells[j[k]][1])])
        for k in rss.argsort()[:3]
    ]


def two_break_bounds(x: Points, y: Points) -> tuple[Theta, Theta]:
    """Bounds of `two_breaks`: both inside the points."""
    free = [np.inf] * 4
    low = np.array([*(-value for value in free), x[2], LOG_F_MIN, x[2], LOG_F_MIN])
    return low, np.array([*free, x[-3], LOG_F_MAX, x[-3], LOG_F_MAX])
