"""Bootstrap-t intervals of anything that is computed from sums over resampling units.

Units are drawn with replacement, and each drawn value is divided by its own linearised standard error (bootstrap-t;
Efron & Tibshirani 1993, section 12.5), which keeps the coverage with as few as 20 units. That error is taken to be at
least half of the whole sample's: a draw that misses the few units that vary would otherwise count as certain, and one
such draw stretches the interval without end.

Letters: B bootstrap draws, U units, K sums kept for each unit.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float

FEWEST_UNITS = 20
UNDEFINED = "so few units have a change that some resamples have none"
"""Why there is no interval where `bootstrap_t` gives infinite limits."""
DRAWS = 2_000
SMALLEST_ERROR = 0.5  # of a draw, as a share of the whole sample's
_BLOCK = 1_000_000  # drawn counts held at a time, 8 MB

Linearised = tuple[Float[np.ndarray, " B"], Float[np.ndarray, "B K"], Float[np.ndarray, " B"]]
Statistic = Callable[[Float[np.ndarray, "B K"]], Linearised]
"""From totals of the K sums: the value f, its gradient times a scale, and that scale (positive)."""


def ratio(top: int, bottom: int) -> Statistic:
    """The ratio of two of the sums.

    >>> ratio(0, 1)(np.array([[3.0, 4.0]]))
    (array([0.75]), array([[ 1.  , -0.75]]), array([4.]))
    """

    def statistic(totals: Float[np.ndarray, "B K"]) -> Linearised:
        value = totals[:, top] / totals[:, bottom]
        slope = np.zeros_like(totals)
        slope[:, top] = 1.0
        slope[:, bottom] = -value
        return value, slope, totals[:, bottom]

    return statistic


def bootstrap_t(
    sums: Float[np.ndarray, "U K"],
    statistics: Sequence[Statistic],
    level: float,
    draws: int,
    seed: int,
) -> list[tuple[float, float]]:
    """Equal-tailed intervals of each statistic, all from the same drawn units; seed: of the draws.

    A statistic must not change when every sum is doubled (a mean, a share), which is what makes its linear form exact.
    Limits are infinite where a drawn value is undefined (0 / 0), because the few units that have one were not drawn.
    """
    n_units = len(sums)
    products = (sums[:, :, None] * sums[:, None, :]).reshape(n_units, -1)
    whole = _values_and_errors(np.ones((1, n_units)), sums, products, statistics)
    t: list[list[Float[np.ndarray, " B"]]] = [[] for _ in statistics]
    for times in _times_drawn(n_units, draws, seed):
        with np.errstate(invalid="ignore", divide="ignore"):  # a drawn value may be undefined
            drawn = _values_and_errors(times, sums, products, statistics)
            for (value, error), (centre, spread), t_values in zip(drawn, whole, t, strict=True):
                error = np.maximum(error, SMALLEST_ERROR * spread)
                t_values.append((value - centre) / np.where(error == 0, 1.0, error))
    return [
        _from_t(float(centre[0]), float(spread[0]), np.concatenate(values), level)
        for (centre, spread), values in zip(whole, t, strict=True)
    ]


def _times_drawn(n_units: int, draws: int, seed: int) -> Iterator[Float[np.ndarray, "B U"]]:
    """How often each unit is drawn, in blocks of draws. A report measures hundreds of groups with the same draws."""
    if draws * n_units <= _BLOCK:
        yield _only_block(n_units, draws, seed)
        return
    size = max(1, _BLOCK // n_units)
    rng = np.random.default_rng(seed)
    for start in range(0, draws, size):
        yield _block(n_units, min(size, draws - start), rng)


@lru_cache(maxsize=16)  # at most 8 MB each
def _only_block(n_units: int, draws: int, seed: int) -> Float[np.ndarray, "B U"]:
    return _block(n_units, draws, np.random.default_rng(seed))


def _block(n_units: int, size: int, rng: np.random.Generator) -> Float[np.ndarray, "B U"]:
    """A multinomial, counted, which is several times faster than sampling it."""
    drawn = rng.integers(0, n_units, (size, n_units))
    drawn += n_units * np.arange(size)[:, None]
    return np.bincount(drawn.ravel(), minlength=size * n_units).reshape(size, n_units).astype(np.float64)


def _values_and_errors(
    weight: Float[np.ndarray, "B U"],
    sums: Float[np.ndarray, "U K"],
    products: Float[np.ndarray, "U KK"],
    statistics: Sequence[Statistic],
) -> list[tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]]:
    """Each statistic of the weighted units and its linearised standard error (the delta method over units)."""
    n_units, n_sums = sums.shape
    totals = weight @ sums
    second = (weight @ products).reshape(-1, n_sums, n_sums)
    values_and_errors = []
    for statistic in statistics:
        value, slope, scale = statistic(totals)
        spread = np.maximum(np.einsum("bk,bkl,bl->b", slope, second, slope), 0.0)
        values_and_errors.append((value, np.sqrt(n_units / (n_units - 1) * spread) / scale))
    return values_and_errors


def _from_t(value: float, error: float, t: Float[np.ndarray, " B"], level: float) -> tuple[float, float]:
    if not np.isfinite(t).all():
        return -math.inf, math.inf
    if error == 0:  # every unit has the same value: nothing varies between them
        return value, value
    low, high = np.quantile(t, [(1 - level) / 2, (1 + level) / 2])
    return float(value - high * error), float(value - low * error)
