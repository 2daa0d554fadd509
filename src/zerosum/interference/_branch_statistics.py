"""Statistics of branches as functions of total sums, each linearised for the bootstrap.

Letters: D bootstrap draws, U units, K sums of a unit.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float

from zerosum.interference._bootstrap import Linearised, Statistic, ratio
from zerosum.interference._branch_sums import BranchSums

_COUNT, _NET, _FIRST, _MOVED, _ALIGNED, _CROSS, _SQUARE, _HARM, _HARM_IN_ALL, _BRANCHES = range(10)

Bound = Literal["aligned", "moved", "root"]
"""Of sum |s|: the sum of A_(B-1), the sum of M_B, sqrt(N sum of s^2)."""


def columns(sums: BranchSums) -> Float[np.ndarray, "U K"]:
    """The sums that the statistics below read: those of the mean of the branches first, the net of each branch last."""
    parts = (sums.count, sums.net.mean(1), sums.moved[:, 0], sums.moved[:, -1], sums.aligned[:, -1], sums.cross)
    more = (sums.square, sums.harm.sum(1), sums.harm_in_all * sums.net.shape[1])
    return np.column_stack([*parts, *more, sums.net])


def cancelled_share(bound: Bound) -> Statistic:
    """`(S - |net|) / (M_1 - |net|)`, with S a bound of sum |s|."""

    def statistic(totals: Float[np.ndarray, "D K"]) -> Linearised:
        net = np.abs(totals[:, _NET])
        scale = totals[:, _FIRST] - net
        size, slope = _bound(totals, bound)
        value = (size - net) / scale
        slope[:, _FIRST] -= value
        slope[:, _NET] += np.sign(totals[:, _NET]) * (value - 1.0)
        return value, slope, scale

    return statistic


def destructive(bound: Bound) -> Statistic:
    """`1 - |net| / S`, with S a bound of sum |s|."""

    def statistic(totals: Float[np.ndarray, "D K"]) -> Linearised:
        size, slope = _bound(totals, bound)
        share = np.abs(totals[:, _NET]) / size
        slope *= share[:, None]
        slope[:, _NET] -= np.sign(totals[:, _NET])
        return 1.0 - share, slope, np.abs(size)

    return statistic


def _bound(totals: Float[np.ndarray, "D K"], bound: Bound) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, "D K"]]:
    """A bound of sum |s| and its gradient."""
    slope = np.zeros_like(totals)
    if bound != "root":
        column = _ALIGNED if bound == "aligned" else _MOVED
        slope[:, column] = 1.0
        return totals[:, column], slope
    count = totals[:, _COUNT]
    cross = np.maximum(totals[:, _CROSS], 1e-12 * totals[:, _FIRST] ** 2 / count)  # the root has no slope at 0
    size = np.sqrt(count * cross)
    slope[:, _COUNT], slope[:, _CROSS] = cross / (2.0 * size), count / (2.0 * size)
    return size, slope


mean_shared = ratio(_ALIGNED, _COUNT)
"""A_(B-1), nats per token."""


def cancelled_shared(totals: Float[np.ndarray, "D K"]) -> Linearised:
    """A_(B-1) - |delta_L|, nats per token: above 0 where some of the cancelled movement is systematic."""
    value = (totals[:, _ALIGNED] - np.abs(totals[:, _NET])) / totals[:, _COUNT]
    slope = np.zeros_like(totals)
    slope[:, _ALIGNED], slope[:, _NET], slope[:, _COUNT] = 1.0, -np.sign(totals[:, _NET]), -value
    return value, slope, totals[:, _COUNT]


harm_in_all = ratio(_HARM_IN_ALL, _HARM)
"""Share of the harmful movement on tokens that get worse in every branch."""

mean_square = ratio(_CROSS, _COUNT)
"""Mean of s^2, from the products of two branches."""


def correlation(totals: Float[np.ndarray, "D K"]) -> Linearised:
    """Covariance of two branches over tokens, averaged over pairs, by the variance averaged over branches."""
    count, net = totals[:, _COUNT], totals[:, _BRANCHES:]
    n_branches, whole = net.shape[1], net.sum(1)
    n_pairs = n_branches * (n_branches - 1)
    products, squares = (whole**2 - (net**2).sum(1)) / n_pairs, (net**2).sum(1) / n_branches
    shared, variance = totals[:, _CROSS] - products / count, totals[:, _SQUARE] - squares / count
    variance = np.where(variance > 1e-12 * totals[:, _SQUARE], variance, np.nan)  # else it is rounding
    value = shared / variance
    slope = np.zeros_like(totals)
    slope[:, _CROSS], slope[:, _SQUARE] = 1.0, -value
    slope[:, _COUNT] = (products - value * squares) / count**2
    slope[:, _BRANCHES:] = -2.0 * (whole[:, None] - net) / (n_pairs * count[:, None]) + 2.0 * value[:, None] * net / (
        n_branches * count[:, None]
    )
    return value, slope, variance


STATISTICS: dict[str, Statistic] = {
    "correlation": correlation,
    "harm_in_all": harm_in_all,
    "mean_shared": mean_shared,
    "mean_square": mean_square,
    "cancelled_shared": cancelled_shared,
    "share_aligned": cancelled_share("aligned"),
    "share_moved": cancelled_share("moved"),
    "share_root": cancelled_share("root"),
    "D_aligned": destructive("aligned"),
    "D_moved": destructive("moved"),
}
