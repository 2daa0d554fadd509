"""Sums of the changes of the same tokens in several branches of training, kept for each resampling unit.

Letters: B branches, N tokens, U units, k branches that are averaged, K how many values of k, S a set of k branches.
"""

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Float, Shaped

_MOST_SETS = 100


@dataclass(frozen=True)
class BranchSums:
    """Sums over the tokens of each unit, in the unit of the changes (nats for losses).

    count: [U] tokens. net: [U, B] the sum of each branch. moved: [U, K] of column k - 1: |mean of k branches|, averaged
    over the sets of k. aligned: [U, K - 1] of column k - 1: the mean of the branches outside a set of k, times the sign
    of the set's mean, averaged likewise. cross: [U] product of two branches, averaged over pairs. square: [U] squared
    change, averaged over branches. harm: [U, B] sum of the positive changes. rises: [U, B] tokens with a positive
    change. harm_in_all: [U] positive changes of the tokens that rise in every branch, averaged over branches.
    """

    count: Float[np.ndarray, " U"]
    net: Float[np.ndarray, "U B"]
    moved: Float[np.ndarray, "U K"]
    aligned: Float[np.ndarray, "U K-1"]
    cross: Float[np.ndarray, " U"]
    square: Float[np.ndarray, " U"]
    harm: Float[np.ndarray, "U B"]
    rises: Float[np.ndarray, "U B"]
    harm_in_all: Float[np.ndarray, " U"]

    @classmethod
    def of(cls, x: Float[np.ndarray, "B N"], unit: Shaped[np.ndarray, " N"], *, every_k: bool = True) -> "BranchSums":
        """Sum changes inside their units. unit: of each token, any ids. every_k: else only k = 1, B - 1 and B."""
        n_branches = len(x)
        ids, index = np.unique(unit, return_inverse=True)

        def per_unit(values: Float[np.ndarray, " N"]) -> Float[np.ndarray, " U"]:
            return np.bincount(index, values, minlength=len(ids)).astype(np.float64)

        total, square = x.sum(0), (x**2).sum(0)
        moved, aligned = [], []
        for k in range(1, n_branches + 1) if every_k else sorted({1, n_branches - 1, n_branches}):
            sets = sets_of_branches(n_branches, k)
            size, along = np.zeros_like(total), np.zeros_like(total)
            for members in sets:
                inside = x[list(members)].sum(0)
                size += np.abs(inside)
                along += (total - inside) * np.sign(inside)
            moved.append(per_unit(size / (k * len(sets))))
            if k < n_branches:
                aligned.append(per_unit(along / ((n_branches - k) * len(sets))))
        return cls(
            count=per_unit(np.ones(x.shape[1])),
            net=np.stack([per_unit(row) for row in x], axis=1),
            moved=np.stack(moved, axis=1),
            aligned=np.stack(aligned, axis=1),
            cross=per_unit((total**2 - square) / (n_branches * (n_branches - 1))),
            square=per_unit(square / n_branches),
            harm=np.stack([per_unit(np.maximum(row, 0.0)) for row in x], axis=1),
            rises=np.stack([per_unit((row > 0).astype(np.float64)) for row in x], axis=1),
            harm_in_all=per_unit(np.where((x > 0).all(0), total, 0.0) / n_branches),
        )


def sets_of_branches(n_branches: int, k: int) -> list[tuple[int, ...]]:
    """Sets of k branches: all of them, or, where they are many, each k neighbours on a circle.

    >>> sets_of_branches(3, 2)
    [(0, 1), (0, 2), (1, 2)]
    """
    if comb(n_branches, k) <= _MOST_SETS:
        return list(combinations(range(n_branches), k))
    return [tuple((first + i) % n_branches for i in range(k)) for first in range(n_branches)]
