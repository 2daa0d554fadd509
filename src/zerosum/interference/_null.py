"""What D would be by chance: the same sizes of change with random signs.

Two nulls are always reported. `null` flips the sign of each token; `null_unit` flips the sign of each unit's net
change, which keeps the cancelling inside units. Both are `1 - E|sum_k s_k a_k| / sum|x|` with independent signs s_k.
"""

from collections.abc import Callable
from functools import cache, lru_cache
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


Draw = tuple[Float[np.ndarray, "B k"], Float[np.ndarray, " B"]]
"""Signs of k terms, and a normal for the sum of all smaller terms, for each of B draws."""


def expected_abs_sum(terms: Float[np.ndarray, " k"], rng: np.random.Generator) -> tuple[float, str]:
    """E|sum_k s_k a_k| over independent random signs, and how it was computed.

    terms: [k] signed or unsigned sizes. Every sign pattern for up to 12 terms; the Gaussian form where its error on
    the scale of D is proven below 0.005; otherwise Monte Carlo over the 256 largest terms, the rest as a Gaussian.
    """
    return abs_sum_over(terms, lambda k: _draw(rng, k))


def abs_sum_over(terms: Float[np.ndarray, " k"], draw: Callable[[int], Draw]) -> tuple[float, str]:
    """As `expected_abs_sum`. draw: gives the random signs of k terms where they are needed."""
    sizes = np.sort(np.abs(terms[terms != 0]))[::-1]
    if sizes.size == 0:
        return float("nan"), "undefined: every term is zero"
    if sizes.size <= EXACT_UP_TO:
        return float(np.abs(_all_signs(sizes.size) @ sizes).mean()), "exact over all sign patterns"
    mass, square = float(sizes.sum()), float((sizes**2).sum())
    if WORST_GAUSSIAN_ERROR / np.sqrt(effective_terms(mass, square)) <= TOLERATED_ERROR:
        return gaussian_abs_sum(mass, square)
    large, rest = sizes[:DOMINANT_TERMS], sizes[DOMINANT_TERMS:]
    signs, normals = draw(large.size)
    sums = signs @ large.astype(np.float32) + normals * np.linalg.norm(rest)
    return float(np.abs(sums).mean()), f"Monte Carlo, {DRAWS:,} draws of signs"


@cache
def _all_signs(k: int) -> Float[np.ndarray, "B k"]:
    """Every pattern of k signs that begins with plus: the others only turn the sum's sign."""
    return np.array(list(product([1.0], *[[1.0, -1.0]] * (k - 1))))


def _draw(rng: np.random.Generator, k: int) -> Draw:
    signs = rng.integers(0, 2, (DRAWS, k), dtype=np.int8) * np.float32(2) - np.float32(1)
    return signs, rng.standard_normal(DRAWS)


class SignDraws:
    """Draws of a new generator with this seed, for one k after another. Draws are cached.

    A page measures hundreds of groups with one seed; without the cache most time goes into drawing the same signs.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._sizes: tuple[int, ...] = ()

    def __call__(self, k: int) -> Draw:
        """Signs of k terms, at most `DOMINANT_TERMS`, and normals."""
        self._sizes = (*self._sizes, k)
        return _first_draw(self._seed, k) if len(self._sizes) == 1 else _last_draw(self._seed, self._sizes)


def _first_draw(seed: int, k: int) -> Draw:
    """Fewer than `DOMINANT_TERMS` terms take the beginning of the same stream of signs; they have no smaller terms."""
    signs, normals = _longest_first_draw(seed)
    if k == DOMINANT_TERMS:
        return signs, normals
    return signs.ravel()[: DRAWS * k].reshape(DRAWS, k), np.zeros(DRAWS)


@lru_cache(maxsize=2)  # 16 MB each
def _longest_first_draw(seed: int) -> Draw:
    return _draw(np.random.default_rng(seed), DOMINANT_TERMS)


@lru_cache(maxsize=4)  # at most 16 MB each
def _last_draw(seed: int, sizes: tuple[int, ...]) -> Draw:
    """The last of draws of these sizes, one after another."""
    rng = np.random.default_rng(seed)
    return [_draw(rng, size) for size in sizes][-1]
