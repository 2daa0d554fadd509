"""Pairs of runs with the same law, or with another rate after the break; their misfits share a given part."""

from dataclasses import dataclass

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import BNSL, Comparison, Fit, compare, fit

NOISE = 0.015  # standard deviation of log loss for each row
FASTER = 0.02  # what is added to r_d of the second run where it differs


@dataclass(frozen=True)
class Misfit:
    """Smooth deviations of both runs from the law: normal values at knots, joined by lines.

    size: of log loss. distance: of the knots, in log step. shared: correlation of the two at equal steps.
    """

    size: float
    distance: float = 0.6
    shared: float = 0.0

    def of_two(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        """[2 n] at log steps x."""
        knots = np.arange(x[0] - self.distance * rng.uniform(), x[-1] + self.distance, self.distance)
        common, *own = (np.interp(x, knots, self.size * rng.normal(size=len(knots))) for _ in range(3))
        return np.sqrt(self.shared) * common + np.sqrt(1 - self.shared) * np.array(own)


@dataclass
class Differences:
    """What `compare` says of pairs. Shares are of the pairs whose terms have intervals; there are `n` of these.

    false: share of pairs of the same law where the interval of a term excludes 0, by term. any_false: of any term.
    found: share of pairs with another r_d where the interval of its term lies on the right side of 0.
    """

    n: int
    false: dict[str, float]
    any_false: float
    found: float


def law(last_step: int, place: float, r_d: float = 0.08) -> BNSL:
    """place: of the break, as a share of the fitted range in log step."""
    first = min(100.0, 0.01 * last_step)
    log_t_d = np.log(first) + place * np.log(last_step / first)
    return BNSL.from_rates(np.log(3.2), 0.25, r_d, log_t_d, np.log(0.3))


def differences(misfit: Misfit, last_step: int, place: float, pairs: int, seed: int) -> Differences:
    """Compare `pairs` pairs of the same law, and every fifth first run with a second one that falls faster."""
    rng, step = np.random.default_rng(seed), np.arange(1.0, last_step + 1)
    same, faster = (law(last_step, place, r_d).log_loss(step) for r_d in (0.08, 0.08 + FASTER))
    excluded, found = [], []
    for number in range(pairs):
        of_a, of_b = misfit.of_two(rng, np.log(step)) + NOISE * rng.normal(size=(2, last_step))
        a = _fit(step, same + of_a)
        if intervals := _intervals(compare(a, _fit(step, same + of_b))):
            excluded.append([not low <= 0 <= high for low, high in intervals])
        if number % 5 == 0 and (intervals := _intervals(compare(a, _fit(step, faster + of_b)))):
            found.append(intervals[2][1] < 0)
    by_term = np.array(excluded).reshape(-1, 3)
    shares = dict(zip(("L_d", "t_d", "r_d"), by_term.mean(axis=0).tolist(), strict=True))
    return Differences(len(by_term), shares, float(by_term.any(axis=1).mean()), float(np.mean(found)))


def _fit(step: np.ndarray, log_loss: np.ndarray) -> Fit:
    return fit(LossCurve("run", step, np.exp(log_loss), lr=np.full(len(step), 3e-4)))


def _intervals(comparison: Comparison) -> list[tuple[float, float]]:
    """Of the terms of L_d, t_d and r_d; empty where there are none."""
    intervals = [term.interval for term in comparison.terms[:3]]
    return [] if None in intervals else intervals
