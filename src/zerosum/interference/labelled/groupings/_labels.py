"""The labels that a grouping gives, and how numbers are cut into bins.

Letters: N predictions that have a loss at both checkpoints.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Labels:
    """The group of each change. code: [N] index into names, which are distinct. note: what the groups are, in words."""

    code: Int[np.ndarray, " N"]
    names: tuple[str, ...]
    note: str


def log2_bins(counts: Int[np.ndarray, " N"], note: str) -> Labels:
    """Bins 1, 2-3, 4-7, ... of whole numbers from 1 on.

    >>> log2_bins(np.array([1, 3, 4, 7, 8]), "").names
    ('1', '2-3', '4-7', '8-15')
    """
    power = np.frexp(counts.astype(np.float64))[1] - 1  # exact, unlike log2 near powers of two
    names = ("1", *(f"{2**k:,}-{2 ** (k + 1) - 1:,}" for k in range(1, int(power.max(initial=0)) + 1)))
    return Labels(power.astype(np.int64), names, note)


def quantile_bins(values: Float[np.ndarray, " N"], note: str, bins: int = 10) -> Labels:
    """Bins with about the same number of values each; fewer where many values are equal.

    >>> quantile_bins(np.array([0.0, 1.0, 2.0, 3.0]), "", bins=2).names
    ('0.000 to 1.500', '1.500 to 3.000')
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    if edges.size == 1:
        edges = np.repeat(edges, 2)
    code = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, edges.size - 2)
    ranges = [f"{low:.3f} to {high:.3f}" for low, high in pairwise(edges)]
    return Labels(code.astype(np.int64), distinct(ranges), note)


def count_deciles(counts: Int[np.ndarray, " N"], note: str) -> Labels:
    """Up to ten groups of about equal size by a whole number; equal numbers are in one group.

    >>> labels = count_deciles(np.array([1, 1, 2, 3, 3, 3, 4, 5, 6, 7]), "")
    >>> labels.names
    ('1', '2', '3', '4', '5', '6', '7')
    """
    values, index, size = np.unique(counts, return_inverse=True, return_counts=True)
    middle = (np.cumsum(size) - size / 2) / counts.size
    _, code = np.unique(np.minimum((10 * middle).astype(np.int64), 9), return_inverse=True)
    ends = [(values[code == k][0], values[code == k][-1]) for k in range(int(code.max(initial=-1)) + 1)]
    names = tuple(f"{low:,}" if low == high else f"{low:,}-{high:,}" for low, high in ends)
    return Labels(code[index.ravel()].astype(np.int64), names, note)


def named(index: Int[np.ndarray, " N"], names: Any, kind: str, note: str) -> Labels:
    """Groups numbered by the store; -1 stands for none. names: as the store records them, if that is a list."""
    ids, code = np.unique(index, return_inverse=True)
    known = names if isinstance(names, list | tuple) else ()

    def name(id_: int) -> str:
        if id_ < 0:
            return f"no {kind}"
        return str(known[id_]) if id_ < len(known) else f"{kind} {id_}"

    return Labels(code.ravel().astype(np.int64), distinct([name(int(id_)) for id_ in ids]), note)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, with a number where one comes more than once.

    >>> distinct(["a", "b", "a"])
    ('a (1)', 'b', 'a (2)')
    """
    times, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if times[name] == 1 else f"{name} ({seen[name]})")
    return tuple(numbered)
