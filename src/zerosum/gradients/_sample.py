"""Which tokens a sample takes, and how many tokens each of them represents.

Letters: S sequences, T positions, N = S T tokens, m strata of positions in each sequence, n = m S sampled tokens.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

GROUPS = 8  # of the delete-a-group jackknife
FEWEST = 2 * GROUPS  # tokens that an interval needs, or weights that follow an auxiliary variable


@dataclass(frozen=True)
class Sample:
    """position: [m, S] the sampled position of each sequence in each stratum. weight: [m, S] tokens it represents.

    group: [m, S] its part of the jackknife, 0 to GROUPS - 1. N: tokens in all.
    """

    position: Int[np.ndarray, "m S"]
    weight: Float[np.ndarray, "m S"]
    group: Int[np.ndarray, "m S"]
    N: int

    @property
    def n(self) -> int:
        """Sampled tokens."""
        return self.position.size


def stretches(n_tokens: int, sequences: int, positions: int) -> int:
    """Tokens that a sample takes of each sequence."""
    return min(-(-n_tokens // sequences), positions)


def draw(n_tokens: int, sequences: int, positions: int, seed: int) -> Sample:
    """One position at random from each of m stretches of each sequence: m = n_tokens / sequences, rounded up, or every
    position where there are no more.

    Tokens of one stretch have prefixes of nearly one length, so that they share a forward pass.
    """
    m = stretches(n_tokens, sequences, positions)
    random = np.random.default_rng(seed)
    ends = np.linspace(0, positions, m + 1).round().astype(np.int64)
    sizes = np.diff(ends)
    position = ends[:-1, None] + random.integers(0, sizes[:, None], size=(m, sequences))
    weight = np.broadcast_to(sizes[:, None], position.shape).astype(np.float64)
    begin = random.integers(GROUPS)  # else small batches would all be in the first groups
    group = (begin + np.arange(m * sequences)).reshape(m, sequences) % GROUPS  # each stretch is spread over the groups
    return Sample(position, weight, random.permuted(group, axis=1), sequences * positions)


def calibrated(sample: Sample, auxiliary: Float[np.ndarray, "S T"]) -> Sample:
    """The sample with weights that count all tokens and add up the auxiliary variable exactly, as near to the first
    ones as possible (the regression estimator, Deville and Sarndal 1992). A small sample keeps its weights.

    auxiliary: [S, T] something known of every token that goes with the size of its gradient.
    """
    if sample.n < FEWEST:
        return sample
    rows = np.arange(sample.position.shape[1])
    x = np.stack([np.ones(sample.n), auxiliary[rows, sample.position].ravel()])
    d = sample.weight.ravel()
    missing = np.array([sample.N, auxiliary.sum()]) - x @ d
    weight = d * (1 + x.T @ np.linalg.lstsq((x * d) @ x.T, missing, rcond=None)[0])
    return Sample(sample.position, weight.reshape(sample.weight.shape), sample.group, sample.N)
