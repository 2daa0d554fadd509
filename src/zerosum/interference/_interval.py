"""Confidence intervals over resampling units, from their sums alone.

R, M and delta_L are ratios of sums over units, so one bootstrap serves all: units are drawn with replacement and each
drawn ratio is divided by its own linearised standard error (bootstrap-t; Efron & Tibshirani 1993, section 12.5), which
keeps the coverage with as few as 20 units. That error is taken to be at least half of the whole sample's: a draw that
misses the few units that vary would otherwise count as certain, and one such draw stretches the interval without end.
D is folded from R: bootstrapping D itself covers nothing where D is 1.

Letters: B bootstrap draws, U units.
"""

import numpy as np
from jaxtyping import Float

from zerosum.interference._record import Interval
from zerosum.interference._sums import InterferenceSums

FEWEST_UNITS = 20
DRAWS = 2_000
SMALLEST_ERROR = 0.5  # of a draw, as a share of the whole sample's
_BLOCK = 4_000_000  # drawn counts held at a time, 32 MB


def no_interval_reason(sums: InterferenceSums) -> str | None:
    """Why these sums carry no interval, or None where they do."""
    if len(sums.unit) < FEWEST_UNITS:
        return f"{len(sums.unit)} units; an interval needs at least {FEWEST_UNITS} sequences or documents"
    if sums.mass.sum() == 0:
        return "every change is zero"
    return None


def fold(low: float, high: float) -> tuple[float, float]:
    """Interval of D = 1 - |R| from an interval of R; its upper end is 1 where R may be zero.

    >>> fold(-0.75, -0.5), fold(-0.25, 0.5)
    ((0.25, 0.5), (0.5, 1.0))
    """
    far, near = max(abs(low), abs(high)), min(abs(low), abs(high))
    return 1.0 - far, 1.0 if low <= 0.0 <= high else 1.0 - near


def interval(sums: InterferenceSums, level: float = 0.95, draws: int = DRAWS, seed: int = 0) -> Interval | None:
    """Intervals of R, D, M, delta_L and the harmful share; None where `no_interval_reason` gives a reason.

    level: nominal coverage. draws: bootstrap samples. seed: of the draws; the same sums and seed give the same numbers.
    """
    if no_interval_reason(sums) is not None:
        return None
    count = sums.count.astype(np.float64)
    ratios = [(sums.net, sums.mass), (sums.mass, count), (sums.net, count)]
    (r_low, r_high), m, change = _bootstrap_t(ratios, level, draws, np.random.default_rng(seed))
    r = (max(r_low, -1.0), min(r_high, 1.0))
    return Interval(
        R=r,
        D=fold(*r),
        M=(max(m[0], 0.0), m[1]),
        delta_L=change,
        harmful_share=((1.0 + r[0]) / 2.0, (1.0 + r[1]) / 2.0),
        level=level,
        n_units=len(sums.unit),
        method=f"bootstrap-t over units, {draws:,} draws, seed {seed}",
    )


Pair = tuple[Float[np.ndarray, " U"], Float[np.ndarray, " U"]]


def _bootstrap_t(ratios: list[Pair], level: float, draws: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Equal-tailed intervals of sum a / sum b for each pair (a, b), all from the same drawn units."""
    n_units = len(ratios[0][0])
    whole = [_ratio_and_error(np.ones((1, n_units)), a, b) for a, b in ratios]
    t: list[list[Float[np.ndarray, " B"]]] = [[] for _ in ratios]
    for size in _block_sizes(draws, n_units):
        drawn = rng.multinomial(n_units, np.full(n_units, 1.0 / n_units), size).astype(np.float64)
        for (a, b), (centre, spread), t_of_ratio in zip(ratios, whole, t, strict=True):
            ratio, error = _ratio_and_error(drawn, a, b)
            with np.errstate(invalid="ignore"):  # 0 / 0 where nothing varies; see `_from_t`
                t_of_ratio.append((ratio - centre) / np.maximum(error, SMALLEST_ERROR * spread))
    return [
        _from_t(float(centre[0]), float(spread[0]), np.concatenate(values), level)
        for (centre, spread), values in zip(whole, t, strict=True)
    ]


def _block_sizes(draws: int, n_units: int) -> list[int]:
    size = max(1, min(draws, _BLOCK // n_units))
    return [min(size, draws - start) for start in range(0, draws, size)]


def _ratio_and_error(
    weight: Float[np.ndarray, "B U"], a: Float[np.ndarray, " U"], b: Float[np.ndarray, " U"]
) -> tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]]:
    """Weighted ratio sum a / sum b and its linearised standard error (the delta method over units)."""
    sum_a, sum_b, aa, ab, bb = (weight @ np.stack([a, b, a * a, a * b, b * b], axis=1)).T
    ratio = sum_a / sum_b
    n_units = len(a)
    variance = n_units / (n_units - 1) * np.maximum(aa - 2 * ratio * ab + ratio**2 * bb, 0.0) / sum_b**2
    return ratio, np.sqrt(variance)


def _from_t(ratio: float, error: float, t: Float[np.ndarray, " B"], level: float) -> tuple[float, float]:
    if error == 0:  # every unit has the same ratio: nothing varies between them
        return ratio, ratio
    low, high = np.quantile(t, [(1 - level) / 2, (1 + level) / 2])
    return float(ratio - high * error), float(ratio - low * error)
