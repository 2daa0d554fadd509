"""Simulated changes of losses by steps on two groups, whose true harm is known, and how many intervals hold it.

Letters: U documents in each column, B batches, T tokens of a document.
"""

from collections import Counter
from functools import cache

import numpy as np

from zerosum.interference.labelled import Columns, RowSums, harm_pairs, harm_split

TOKENS = 6
MEANS = np.array([[-0.6, 0.4], [0.1, -0.3]])  # of a step on the row's group, on the column's tokens
TRUTH = {"own": MEANS[0, 0], "other": MEANS[0, 1], "difference": MEANS[0, 1] - MEANS[1, 0]}
TOKEN_NOISE = 0.5


def columns(grouping: str, units: int, rng: np.random.Generator) -> Columns:
    """By domain, each column has documents of its own; by token, both columns have half of each document. Documents
    have 2, 4 or 6 tokens."""
    n_documents = 2 * units if grouping == "domain" else units
    document = np.broadcast_to(np.arange(n_documents)[:, None], (n_documents, TOKENS))
    code = document % 2 if grouping == "domain" else np.broadcast_to(np.arange(TOKENS) % 2, document.shape)
    there = np.arange(TOKENS) < 2 * rng.integers(1, 4, n_documents)[:, None]
    return Columns.of(np.where(there, code, -1), np.where(there, document, -1), 2)


def effects(shape: tuple[int, ...], tails: str, rng: np.random.Generator) -> np.ndarray:
    """Independent effects of variance 1."""
    if tails == "normal":
        return rng.normal(size=shape)
    if tails == "skewed":
        return rng.exponential(size=shape) - 1
    return rng.standard_t(5, shape) / np.sqrt(5 / 3)


def sizes(units: int, batches: int, shares: tuple[float, float, float]) -> np.ndarray:
    """Standard deviations of the effects of a text, of a batch, and of a text in a batch, which have these shares of
    the variance of a column's mean, 0.01."""
    return 0.1 * np.sqrt(np.array(shares) * (units, batches, units * batches))


def steps(columns: Columns, units: int, batches: int, shares, tails: str, rng: np.random.Generator) -> list[RowSums]:
    """What steps on each group change. A text has the same effect in both columns of a row, and with the opposite sign
    in the other row; what a batch does to a column, and to a text, is its own."""
    text, batch, both = sizes(units, batches, shares)
    n_documents, rows = len(columns.code), [RowSums(), RowSums()]
    of_text = text * effects((n_documents, 1), tails, rng)
    for number in range(batches):
        for h, row in enumerate(rows):
            of_column = MEANS[h] + batch * effects((2,), tails, rng)
            of_both = both * effects((n_documents, 1), tails, rng)
            noise = TOKEN_NOISE * rng.normal(size=columns.code.shape)
            row.add(of_column[columns.code] + (1 - 2 * h) * of_text + of_both + noise, columns, number)
    return rows


@cache
def true_inside(units: int, batches: int, shares, tails: str) -> float:
    """Expected harm inside the groups as a share of all expected harm, from a far larger sample."""
    rng, n = np.random.default_rng(99), 400_000
    text, batch, both = sizes(units, batches, shares)
    noise = sum(size * effects((n,), tails, rng) for size in (batch, both)) + TOKEN_NOISE * rng.normal(size=n)
    of_text = text * effects((n,), tails, rng)
    harm = [[np.maximum(MEANS[h, g] + (1 - 2 * h) * of_text + noise, 0).mean() for g in (0, 1)] for h in (0, 1)]
    return float(np.trace(harm) / np.sum(harm))


def covered_harms(grouping: str, units: int, batches: int, shares, tails: str, repeats: int) -> Counter[str]:
    """How many of `repeats` intervals hold the true change of a step on its own group and on the other, the difference
    of a pair, and the share of harm inside."""
    rng, covered = np.random.default_rng(units + batches), Counter(own=0, other=0, difference=0, inside=0)
    truth = TRUTH | {"inside": true_inside(units, batches, shares, tails)}
    for repeat in range(repeats):
        seed = repeat % 2  # the draws of two seeds are kept
        rows = steps(columns(grouping, units, rng), units, batches, shares, tails, rng)
        cells = rows[0].row("group", "", 2, seed).cells
        (pair,) = harm_pairs(rows, 2, seed)
        estimates = {"own": cells[0].delta_L, "other": cells[1].delta_L, "difference": pair.difference}
        estimates["inside"] = harm_split(rows, None, 2, seed).inside
        for name, estimate in estimates.items():
            low, high = estimate.interval
            covered[name] += low <= truth[name] <= high
    return covered
