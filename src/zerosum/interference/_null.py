"""What D would be by chance: the same sizes of change with random signs.

Two nulls are always reported. `null` flips the sign of each token; `null_unit` flips the sign of each unit's net
change, which keeps the cancelling inside units. Both are `1 - E|sum_k s_k a_k| / sum|x|` with independent signs s_k.
"""

from itertools import product

import numpy as np
from jaxtyping import Float

GAUSSIAN = float(np.sqrt(2 / np.pi))
# Khintchine's inequality with Szarek's constant: ||a||/sqrt(2) <= E|sum s a| <= ||a||. The Gaussian value 0.798 ||a||
# therefore errs by at most 0.202 ||a||, on the scale of D by 0.202/sqrt(effective terms).
WORST_GAUSSIAN_ERROR = 1.0 - GAUSSIAN
TOLERATED_ERROR = 0.005
EXACT_UP_TO = 12
DRAWS = 16_384
DOMINANT_TERMS = 256


def effective_terms(mass: float, square: float) -> float:
    """How many equal terms would have these sums: (sum |a|)^2 / sum a^2, between 1 and the number of terms."""
    return mass**2 / square if square > 0 else float("nan")


def gaussian_abs_sum(mass: float, square: float) -> tuple[float, str]:
    """E|sum s_k a_k| from the sums alone, `sqrt(2/pi) ||a||_2`, with its worst error on the scale of D in words."""
    error = WORST_GAUSSIAN_ERROR / np.sqrt(effective_terms(mass, square))
    return float(GAUSSIAN * np.sqrt(square)), f"Gaussian approximation, off by at most {error:.1g}"


def expected_abs_sum(terms: Float[np.ndarray, " k"], rng: np.random.Generator) -> tuple[float, str]:
    """E|sum_k s_k a_k| over independent random signs, and how it was computed.

    terms: [k] signed or unsigned sizes. Every sign pattern for up to 12 terms; the Gaussian form where its error on
    the scale of D is proven below 0.005; otherwise Monte Carlo over the 256 largest terms, the rest as a Gaussian.
    """
    sizes = np.sort(np.abs(terms[terms != 0]))[::-1]
    if sizes.size == 0:
        return float("nan"), "undefined: every term is zero"
    if sizes.size <= EXACT_UP_TO:
        signs = np.array(list(product([1.0], *[[1.0, -1.0]] * (sizes.size - 1))))
        return float(np.abs(signs @ sizes).mean()), "exact over all sign patterns"
    mass, square = float(sizes.sum()), float((sizes**2).sum())
    if WORST_GAUSSIAN_ERROR / np.sqrt(effective_terms(mass, square)) <= TOLERATED_ERROR:
        return gaussian_abs_sum(mass, square)
    large, rest = sizes[:DOMINANT_TERMS], sizes[DOMINANT_TERMS:]
    signs = rng.integers(0, 2, (DRAWS, large.size), dtype=np.int8) * np.float32(2) - np.float32(1)
    sums = signs @ large.astype(np.float32) + rng.standard_normal(DRAWS) * np.linalg.norm(rest)
    return float(np.abs(sums).mean()), f"Monte Carlo, {DRAWS:,} draws of signs"
