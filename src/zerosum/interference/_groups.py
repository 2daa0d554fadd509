"""Where the cancelling happens: exact splits of R and C over any partition of the tokens.

`R = sum_g w_g R_g` with `w_g = sum_g |x| / sum |x|`, and `C = 1 - D = C_between x C_within` with
`C_between = |sum_g X_g| / sum_g |X_g|`, `C_within = sum_g |X_g| / sum |x|`, where X_g is the sum inside group g.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.interference._array import as_float64
from zerosum.interference._null import GAUSSIAN
from zerosum.interference._sums import InterferenceSums


@dataclass(frozen=True)
class Group:
    """One group's own sums, its share w of all movement, and its share of the net change, `w R_g / R`.

    net_share: the shares of all groups add up to 1, and one may be negative (the group moves against the rest) or
    above 1. NaN where the net change is zero.
    """

    name: str
    w: float
    net_share: float
    sums: InterferenceSums

    @property
    def R(self) -> float:
        """Net ratio inside the group; `w * R` is its part of the whole R. NaN where nothing in it moved."""
        return self.sums.R

    @property
    def D(self) -> float:
        """Destructive interference inside the group."""
        return self.sums.D

    @property
    def M(self) -> float:
        """Mean size of a change inside the group."""
        return self.sums.M

    @property
    def delta_L(self) -> float:
        """Signed mean inside the group."""
        return self.sums.delta_L

    @property
    def N(self) -> int:
        """Number of changes."""
        return self.sums.N


@dataclass(frozen=True)
class GroupSplit:
    """Groups in the order given, and cancelling between and within them, each in [0, 1].

    C_between is NaN when every group nets to zero; then C is 0 through C_within.
    C_between_null: what it would be were the tokens dealt at random into groups of these sizes, which with many small
    groups is below C_between = 1 by itself (normal approximation; tokens taken as independent).
    """

    groups: tuple[Group, ...]
    C_between: float
    C_within: float
    C_between_null: float


def sums_by_group(x: Any, group: Any, unit: Any = None, where: Any = None) -> dict[str, InterferenceSums]:
    """Sums of each group, in the order of their labels: one pass over the changes, however many groups there are.

    group: a label for each x (it broadcasts). unit, where: as in `InterferenceSums.of`.
    """
    x = np.atleast_1d(as_float64(x))
    unit = np.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1)) if unit is None else np.asarray(unit)
    keep = np.broadcast_to(True if where is None else np.asarray(where, dtype=bool), x.shape)
    labels, label = np.unique(np.broadcast_to(np.asarray(group), x.shape)[keep], return_inverse=True)
    units, member = np.unique(np.broadcast_to(unit, x.shape)[keep], return_inverse=True)
    cells = InterferenceSums.of(x[keep], label.ravel() * len(units) + member.ravel())
    ends = np.searchsorted(cells.unit // max(len(units), 1), np.arange(len(labels) + 1))
    return {
        str(labels[g]): InterferenceSums(
            units[cells.unit[start:end] % len(units)],
            cells.net[start:end],
            cells.mass[start:end],
            cells.square[start:end],
            cells.count[start:end],
        )
        for g, (start, end) in enumerate(pairwise(ends))
    }


def split(groups: Mapping[str, InterferenceSums]) -> GroupSplit:
    """Decompose R and C over groups that partition the tokens.

    >>> parts = split(sums_by_group([-3.0, -1.0, 2.0, -2.0], ["a", "a", "b", "b"]))
    >>> [(g.name, g.w, g.R, g.net_share) for g in parts.groups], parts.C_between, parts.C_within
    ([('a', 0.5, -1.0, 1.0), ('b', 0.5, 0.0, -0.0)], 1.0, 0.5)
    """
    mass = sum(float(s.mass.sum()) for s in groups.values())
    if not mass > 0:
        raise InputError("every change is zero, so no group has a share of the movement. Check the two checkpoints.")
    nets = np.array([s.net.sum() for s in groups.values()])
    net, moved = float(nets.sum()), float(np.abs(nets).sum())
    by_chance = _moved_by_random_groups(groups)
    nan = float("nan")
    return GroupSplit(
        groups=tuple(
            Group(name, float(s.mass.sum()) / mass, float(s.net.sum()) / net if net else nan, s)
            for name, s in groups.items()
        ),
        C_between=abs(net) / moved if moved > 0 else nan,
        C_within=moved / mass,
        C_between_null=abs(net) / by_chance if by_chance > 0 else nan,
    )


def _moved_by_random_groups(groups: Mapping[str, InterferenceSums]) -> float:
    """Expected sum_g |X_g| over random groups of the same sizes: |normal| of a sample without replacement."""
    N = sum(s.N for s in groups.values())
    mean = sum(float(s.net.sum()) for s in groups.values()) / N
    variance = max(sum(float(s.square.sum()) for s in groups.values()) / N - mean**2, 0.0)
    total = 0.0
    for s in groups.values():
        centre = s.N * mean
        spread = math.sqrt(variance * s.N * (N - s.N) / max(N - 1, 1))
        total += abs(centre) if spread == 0 else _mean_of_absolute_normal(centre, spread)
    return total


def _mean_of_absolute_normal(mean: float, spread: float) -> float:
    z = mean / spread
    return spread * GAUSSIAN * math.exp(-z * z / 2) + mean * math.erf(z / math.sqrt(2))
