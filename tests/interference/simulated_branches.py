"""Simulated branches whose systematic share is known: how many of the 95 % intervals hold it."""

from collections import Counter
from functools import cache

import numpy as np

from zerosum.interference import branch_agreement

TOKENS = 40
SHARED = 0.2  # share of the variance that the tokens of a document have in common


def systematic(kind: str, documents: int, rng: np.random.Generator) -> np.ndarray:
    """What all orders of the data share, [documents, TOKENS].

    noise: 0. opposed: two groups that move against each other by 1, of shares that differ between documents.
    mixture: half of the documents' tokens are opposed, the others 0. smooth: normal with a mean. heavy: Student t.
    """
    shape = (documents, TOKENS)
    if kind == "noise":
        return np.zeros(shape)
    if kind in ("opposed", "mixture"):
        sign = np.where(rng.random(shape) < rng.beta(6, 6, (documents, 1)), 1.0, -1.0)
        return sign if kind == "opposed" else sign * (rng.random(shape) < 0.5)
    own = rng.standard_normal(shape) if kind == "smooth" else rng.standard_t(5, shape)
    return -0.3 + np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * rng.standard_normal((documents, 1))


def noise(kind: str, branches: int, documents: int, rng: np.random.Generator) -> np.ndarray:
    """Noise of the order of the data, [branches, documents, TOKENS], standard deviation about 1.

    "3 directions": `sum_r a_br d_ri` over three directions r of the weights that all documents share.
    """
    shape = (branches, documents, TOKENS)
    if kind.endswith(("direction", "directions")):
        n_directions = int(kind.split()[0])
        slopes = noise("normal", n_directions, documents, rng)
        steps = rng.standard_normal((branches, n_directions)) / np.sqrt(n_directions)
        return np.tensordot(steps, slopes, axes=1)
    own = rng.standard_t(3, shape) / np.sqrt(3) if kind == "t3" else rng.standard_normal(shape)
    if kind == "uneven":  # the same token is as noisy in every branch
        own *= rng.lognormal(-0.36, 0.6, shape[1:])
    return np.sqrt(1 - SHARED) * own + np.sqrt(SHARED) * rng.standard_normal((branches, documents, 1))


@cache
def truth(kind: str, noise_kind: str, size: float, branches: int) -> dict[str, float]:
    """Systematic share and its two bounds, of a population far larger than a sample. size: of the noise."""
    rng = np.random.default_rng(7)
    s = systematic(kind, 10_000, rng)
    x = s + size * np.concatenate([noise(noise_kind, branches, 20, rng) for _ in range(500)], axis=1)
    net, M_1 = abs(s.mean()), np.abs(x).mean()
    rest = x[:-1].mean(0)
    upper = min(np.abs(x.mean(0)).mean(), np.sqrt((s**2).mean()))
    sizes = {"share": np.abs(s).mean(), "low": (s * np.sign(rest)).mean(), "high": upper}
    return {name: float(np.clip((value - net) / (M_1 - net), 0, 1)) for name, value in sizes.items()}


def covered_branches(kind: str, noise_kind: str, size: float, branches: int, repeats: int) -> Counter[str]:
    """How many of `repeats` intervals hold the systematic share, and both of its bounds; sum of the estimates' errors.

    60 documents of 40 tokens.
    """
    rng = np.random.default_rng(branches)
    true, covered = truth(kind, noise_kind, size, branches), Counter(share=0, bounds=0)
    tiny = 1e-9  # rounding of sums, where nothing is random
    for repeat in range(repeats):
        x = systematic(kind, 60, rng) + size * noise(noise_kind, branches, 60, rng)
        found = branch_agreement(x, draws=300, seed=repeat).systematic_share
        low, high = found.interval
        covered["share"] += low - tiny <= true["share"] <= high + tiny
        covered["bounds"] += low - tiny <= true["low"] and true["high"] <= high + tiny
        covered["width"] += high - low
        covered["value"] += found.value
    return covered
