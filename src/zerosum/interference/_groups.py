"""Where the cancelling happens: exact splits of R and C over any partition of the tokens.

`R = sum_g w_g R_g` with `w_g = sum_g |x| / sum |x|`, and `C = 1 - D = C_between x C_within` with
`C_between = |sum_g X_g| / sum_g |X_g|`, `C_within = sum_g |X_g| / sum |x|`, where X_g is the sum inside group g.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.interference._array import as_float64
from zerosum.interference._sums import InterferenceSums


@dataclass(frozen=True)
class Group:
    """One group's own R, D, M, N and signed mean, and its share w of all movement; `w * R` is its share of R."""

    name: str
    w: float
    R: float
    D: float
    M: float
    delta_L: float
    N: int


@dataclass(frozen=True)
class GroupSplit:
    """Groups in the order given, and cancelling between and within them, each in [0, 1].

    C_between is NaN when every group nets to zero; then C is 0 through C_within.
    """

    groups: tuple[Group, ...]
    C_between: float
    C_within: float


def sums_by_group(x: Any, group: Any, unit: Any = None, where: Any = None) -> dict[str, InterferenceSums]:
    """Sums of each group. group: a label for each x (it broadcasts); unit, where: as in `InterferenceSums.of`."""
    x = np.atleast_1d(as_float64(x))
    label = np.broadcast_to(np.asarray(group), x.shape)
    keep = np.broadcast_to(True if where is None else np.asarray(where, dtype=bool), x.shape)
    return {str(g): InterferenceSums.of(x, unit, keep & (label == g)) for g in np.unique(label[keep])}


def split(groups: Mapping[str, InterferenceSums]) -> GroupSplit:
    """Decompose R and C over groups that partition the tokens.

    >>> parts = split(sums_by_group([-3.0, -1.0, 2.0, -2.0], ["a", "a", "b", "b"]))
    >>> [(g.name, g.w, g.R) for g in parts.groups], parts.C_between, parts.C_within
    ([('a', 0.5, -1.0), ('b', 0.5, 0.0)], 1.0, 0.5)
    """
    mass = sum(float(s.mass.sum()) for s in groups.values())
    if not mass > 0:
        raise InputError("every change is zero, so no group has a share of the movement. Check the two checkpoints.")
    nets = np.array([s.net.sum() for s in groups.values()])
    moved = float(np.abs(nets).sum())
    return GroupSplit(
        groups=tuple(
            Group(name, float(s.mass.sum()) / mass, s.R, s.D, s.M, s.delta_L, s.N) for name, s in groups.items()
        ),
        C_between=float(abs(nets.sum())) / moved if moved > 0 else float("nan"),
        C_within=moved / mass,
    )
