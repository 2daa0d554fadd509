"""Simulated changes of losses whose true values are known: how many of the 95 % intervals hold them."""

from collections import Counter
from functools import cache

import numpy as np

from zerosum import InterferenceSums
from zerosum.interference import interval, sign_agreement

TOKENS = 64
SHARED = 0.3  # share of a token's variance that its whole sequence has in common


def changes(n_sequences: int, mean: float, rng: np.random.Generator) -> np.ndarray:
    """[n_sequences, TOKENS], correlated within a sequence; real sequences also differ in their sizes of change."""
    common = np.sqrt(SHARED) * rng.normal(size=(n_sequences, 1))
    own = np.sqrt(1 - SHARED) * rng.standard_t(4, (n_sequences, TOKENS))
    return rng.lognormal(0, 0.5, (n_sequences, 1)) * (mean + common + own)


@cache
def mean_for(R: float) -> float:
    """The mean that gives net ratio R in this population, by bisection on a large sample."""
    rng = np.random.default_rng(0)
    z = np.sqrt(SHARED) * rng.normal(size=400_000) + np.sqrt(1 - SHARED) * rng.standard_t(4, 400_000)
    low, high = -5.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if (middle + z).sum() / np.abs(middle + z).sum() < R else (low, middle)
    return low


def covered_interference(n_sequences: int, R: float, repeats: int) -> Counter[str]:
    """How many of `repeats` intervals hold R, and D."""
    rng, mean, covered = np.random.default_rng(n_sequences), mean_for(R), Counter(R=0, D=0)
    for repeat in range(repeats):
        found = interval(InterferenceSums.of(changes(n_sequences, mean, rng)), draws=500, seed=repeat)
        covered["R"] += found.R[0] <= R <= found.R[1]
        covered["D"] += found.D[0] <= 1 - abs(R) <= found.D[1]
    return covered


def pair_of_changes(units: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two changes of the same tokens, [units, 16] each, with correlated signs in correlated units."""
    shared = rng.normal(0, 0.6, (units, 1))
    x = rng.normal(-0.4, 1, (units, 16)) + shared
    return x, 0.5 * x + rng.normal(-0.1, 1, (units, 16)) + 0.5 * shared


def covered_agreement(units: int, repeats: int) -> Counter[str]:
    """How many of `repeats` intervals hold the agreement, and its excess. The truth is that of a far larger sample."""
    truth = sign_agreement(*pair_of_changes(40_000, np.random.default_rng(99)), draws=2)
    rng, covered = np.random.default_rng(units), Counter(agreement=0, excess=0)
    for repeat in range(repeats):
        found = sign_agreement(*pair_of_changes(units, rng), draws=300, seed=repeat)
        for name, (low, high) in found.intervals.items():
            covered[name] += low <= getattr(truth, name) <= high
    return covered
