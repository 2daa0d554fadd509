"""The core type: sums kept for each resampling unit. Everything else is computed from them.

Letters: U resampling units (sequences or documents).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.errors import InputError
from zerosum.interference._array import as_float64


@dataclass(frozen=True)
class InterferenceSums:
    """Sums of signed changes x inside each resampling unit; they merge by addition.

    unit: [U] ids, sorted and distinct (integers or strings). net: [U] sum x. mass: [U] sum |x|. square: [U] sum x^2.
    count: [U] number of changes. Sums are float64 in the unit of x (nats for losses), whatever x's own precision.

    >>> whole = InterferenceSums.of([[-1.0, 2.0], [-3.0, -4.0]])
    >>> split = InterferenceSums.of([[-1.0], [-3.0]]) + InterferenceSums.of([[2.0], [-4.0]])
    >>> whole.R == split.R == -0.6
    True
    """

    unit: Shaped[np.ndarray, " U"]
    net: Float[np.ndarray, " U"]
    mass: Float[np.ndarray, " U"]
    square: Float[np.ndarray, " U"]
    count: Int[np.ndarray, " U"]

    @classmethod
    def of(cls, x: Any, unit: Any = None, where: Any = None) -> "InterferenceSums":
        """Sum x inside its units.

        x: signed changes of any shape. unit: ids that broadcast to x; by default each row of the first axis is one unit
        (for x of [sequence, position], each sequence). where: mask that broadcasts to x; False leaves a change out.
        Raises InputError for values that are not finite: mask them with `where` if they are meant to be missing.
        """
        x = np.atleast_1d(as_float64(x))
        unit = np.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1)) if unit is None else np.asarray(unit)
        keep = np.broadcast_to(True if where is None else np.asarray(where, dtype=bool), x.shape)
        values, units = x[keep], np.broadcast_to(unit, x.shape)[keep]
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise InputError(
                f"{bad} of {values.size} changes are not finite. Leave them out with where=np.isfinite(x)."
            )
        ids, index = np.unique(units, return_inverse=True)

        def per_unit(weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " U"]:
            return np.bincount(index, weights, minlength=len(ids)).astype(np.float64)

        count = np.bincount(index, minlength=len(ids)).astype(np.int64)
        return cls(ids, per_unit(values), per_unit(np.abs(values)), per_unit(values**2), count)

    @classmethod
    def merge(cls, parts: Iterable["InterferenceSums"]) -> "InterferenceSums":
        """Add up parts: sums of the same unit are added, new units are appended."""
        parts = list(parts)
        if not parts:
            raise InputError("no sums to merge. Give at least one part.")
        ids, index = np.unique(np.concatenate([p.unit for p in parts]), return_inverse=True)

        def added(field: str) -> Float[np.ndarray, " U"]:
            values = np.concatenate([getattr(p, field) for p in parts])
            return np.bincount(index, values, minlength=len(ids)).astype(np.float64)

        return cls(ids, added("net"), added("mass"), added("square"), added("count").astype(np.int64))

    def __add__(self, other: "InterferenceSums") -> "InterferenceSums":
        return self.merge([self, other])

    @property
    def N(self) -> int:
        """Number of changes."""
        return int(self.count.sum())

    @property
    def R(self) -> float:
        """Net ratio sum x / sum |x|, in [-1, 1]; NaN when all x are zero."""
        mass = self.mass.sum()
        return float(self.net.sum() / mass) if mass > 0 else float("nan")

    @property
    def D(self) -> float:
        """Destructive interference 1 - |R|, in [0, 1]."""
        return 1.0 - abs(self.R)

    @property
    def M(self) -> float:
        """Mean size of a change, mean |x|, in the unit of x; NaN when there is none."""
        return float(self.mass.sum() / self.N) if self.N else float("nan")

    @property
    def delta_L(self) -> float:
        """Signed mean of x; equals M R."""
        return float(self.net.sum() / self.N) if self.N else float("nan")

    @property
    def harmful_share(self) -> float:
        """Share of all movement that is positive (for losses: worse), (1 + R)/2."""
        return (1.0 + self.R) / 2.0
