"""What a file of `laws/` declares: the terms of its law, where searches start, and the published parameters.

Letters: n points, p parameters, M searches side by side, S starts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.errors import InputError
from zerosum.scaling.power_terms import PowerTerms
from zerosum.scaling.table import LossTable

Vector = Float[np.ndarray, " n"]
Logs = Mapping[str, np.ndarray]
"""log N, log D and log S at the points, each less its mean over the fitted table (its centre)."""


@dataclass(frozen=True)
class Law:
    """One law of the loss.

    form: the formula. variables: what it takes, of N, D, S (steps). names: of theta, in the order of the searches.
    exponents: those of `names` whose profile decides the verdict. terms: centred logs -> terms. published: theta and
    centres -> the parameters as published, each [M]. logarithmic: published parameters above 0. delta, in_log: of the
    objective. exponent_ends: where exponents are searched.
    """

    name: str
    form: str
    variables: tuple[str, ...]
    names: tuple[str, ...]
    exponents: tuple[str, ...]
    terms: Callable[[Logs], PowerTerms]
    starts: Callable[[Logs, Vector, int], np.ndarray]
    published: Callable[[np.ndarray, Mapping[str, float]], dict[str, np.ndarray]]
    source: str
    delta: float = 1e-3
    in_log: bool = True
    exponent_ends: tuple[float, float] = (1e-3, 3.0)

    @property
    def objective(self) -> str:
        """In words, for reports."""
        if not self.in_log:
            return "sum of squared residuals of the loss"
        return "sum of Huber(delta) of log-loss residuals"

    def delta_or(self, given: float | None) -> float:
        """Huber's delta as given, None for the law's own. Raises InputError where it is not above 0."""
        if given is not None and not given > 0:
            raise InputError(f"delta: {given} is not above 0. Give for example 1e-3.")
        return self.delta if given is None else given

    @property
    def floor(self) -> int | None:
        """Place of log E in theta, None for laws without E."""
        return self.names.index("log_E") if "log_E" in self.names else None

    def ends(self, log_y: Vector) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
        """Where theta is searched. A term may be from e^-12 of the smallest loss to e^12 of the largest."""
        amounts = (float(log_y.min()) - 12.0, float(log_y.max()) + 12.0)
        pairs = [self.exponent_ends if name in self.exponents else amounts for name in self.names]
        low, high = np.array(pairs).T
        return low, high


def variable(table: LossTable, name: str) -> Vector:
    """N, D or S of the table. Raises InputError where a row has none."""
    values: Vector = {"N": table.N, "D": table.D, "S": table.step}[name]
    for k in np.flatnonzero(~(np.isfinite(values) & (values > 0)))[:1]:
        raise InputError(f"{table.source}: row {k + 1}: has no step above 0, which this law needs. Add a column step.")
    return values


def exponent_grid(per_axis: int, axes: int, low: float = 0.05, high: float = 1.0) -> Float[np.ndarray, "S axes"]:
    """All combinations of exponents from low to high, evenly spaced in their logarithm."""
    values = np.geomspace(low, high, per_axis)
    return np.stack(np.meshgrid(*[values] * axes, indexing="ij"), axis=-1).reshape(-1, axes)


def amounts(
    columns: Float[np.ndarray, "S n k"], rest: Float[np.ndarray, "S n"], loss: Vector
) -> Float[np.ndarray, "S k"]:
    """Logarithms of the factors of each term that bring their sum closest to `rest`, relative to the loss.

    Factors below a thousandth of the mean of `rest` are raised to it, so that each start has every term.
    """
    weighted = columns / loss[:, None]
    normal = np.swapaxes(weighted, 1, 2) @ weighted
    normal += 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(normal.shape[1])
    target = np.swapaxes(weighted, 1, 2) @ (rest / loss)[:, :, None]
    factor = np.linalg.solve(normal, target)[:, :, 0]
    return np.asarray(np.log(np.maximum(factor, 1e-3 * np.abs(rest).mean(axis=1, keepdims=True) + 1e-12)))
