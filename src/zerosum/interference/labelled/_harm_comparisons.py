"""Comparisons of the cells of a harm matrix: where all harm falls, and how far two groups differ in their harm.

Letters: K groups, B batches, U resampling units, P parts of a whole.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from zerosum.estimate import Estimate
from zerosum.interference._bootstrap import DRAWS, FEWEST_UNITS, UNDEFINED, Linearised, bootstrap_t, ratio
from zerosum.interference._crossed import over_texts_and_batches
from zerosum.interference._interval import too_few_units
from zerosum.interference.labelled._harm_matrix import HarmPair, HarmSplit
from zerosum.interference.labelled._harm_sums import OfBatches, RowSums, influence_on_mean
from zerosum.interference.labelled._measure import GROUP_DRAWS

Cell = tuple[int, OfBatches]
"""The part that the harm of a cell belongs to, and its sums."""


def harm_pairs(rows: Sequence[RowSums], n_groups: int, seed: int) -> Iterator[HarmPair]:
    """How far each two groups differ in what they do to each other. rows: in the order of the columns."""
    for h in range(n_groups):
        for g in range(h + 1, n_groups):
            first, second = rows[h].cells.get(g), rows[g].cells.get(h)
            if first and second:
                yield HarmPair(h, g, _difference(first, second, seed))


def _difference(first: OfBatches, second: OfBatches, seed: int) -> Estimate:
    """Mean change of the first cell minus that of the second; texts that are in both columns are drawn in pairs."""
    net, count = (_totals((first, second), name) for name in ("net", "count"))  # [2, U]
    means = net.sum(1) / count.sum(1)
    N, unit = int(count.sum()), "nats per token"
    whole = Estimate(float(means[0] - means[1]), N=N, of="changes of tokens", unit=unit)
    fewest = int((count > 0).sum(1).min())
    if fewest < FEWEST_UNITS:
        return replace(whole, reason=too_few_units(fewest))
    if first.keys() != second.keys():
        return replace(whole, reason="the groups have tokens in different batches")
    (texts,) = bootstrap_t(np.concatenate([net, count]).T, [_difference_of_means], 0.95, GROUP_DRAWS, seed)
    if not math.isfinite(texts[1]):
        return replace(whole, reason=UNDEFINED)
    units = _units((first, second))
    z = _aligned(influence_on_mean(first), first, units) - _aligned(influence_on_mean(second), second, units)
    return over_texts_and_batches(whole, texts, z)


def _difference_of_means(totals: Float[np.ndarray, "B 4"]) -> Linearised:
    """totals: net of both cells, then their counts."""
    net, count = totals[:, :2], totals[:, 2:]
    sign = np.array([1.0, -1.0])
    slope = np.concatenate([sign / count, -sign * net / count**2], axis=1)
    return (net / count) @ sign, slope, np.ones(len(totals))


def harm_split(rows: Sequence[RowSums], no_gradient: RowSums | None, n_groups: int, seed: int) -> HarmSplit:
    """Where the harm of the K rows falls. rows: in the order of the columns."""
    K = range(n_groups)
    cells = [(int(h != g), row.cells[g]) for h, row in enumerate(rows) for g in K if g in row.cells]
    idle = [(2, no_gradient.cells[g]) for g in K if g in no_gradient.cells] if no_gradient else []
    of_cell = np.array([[_harm_of(row.cells.get(g, {})) for g in K] for row in rows])
    total = of_cell.sum()
    expected = float(of_cell.sum(0) @ of_cell.sum(1) / total**2) if total > 0 else math.nan
    inside, between, rest = _shares([*cells, *idle], seed)
    return HarmSplit(inside, between, rest if no_gradient else None, expected)


def _harm_of(batches: OfBatches) -> float:
    return math.fsum(float((sums.mass + sums.net).sum() / 2) for sums in batches.values())


def _shares(cells: Sequence[Cell], seed: int) -> list[Estimate]:
    """Each of three parts of the harm, sum max(x, 0), as a share of all."""
    units = _units(batches for _, batches in cells)
    numbers = sorted({number for _, batches in cells for number in batches})
    harm = np.zeros((len(numbers), len(units), 4))  # and last the sum of the parts
    for part, batches in cells:
        for number, sums in batches.items():
            place = numbers.index(number), np.searchsorted(units, sums.unit)
            harm[(*place, part)] += (sums.mass + sums.net) / 2
    harm[..., 3] = harm.sum(-1)
    total = harm[..., 3].sum()
    if not total > 0:
        return [Estimate(math.nan, reason="no row does any harm")] * 3
    values = (harm[..., :3].sum((0, 1)) / total).tolist()
    wholes = [Estimate(value, N=len(units), of="texts") for value in values]
    if len(units) < FEWEST_UNITS:
        return [replace(whole, reason=too_few_units(len(units))) for whole in wholes]
    of_texts = bootstrap_t(harm.sum(0), [ratio(part, 3) for part in range(3)], 0.95, DRAWS, seed)
    z = (harm[..., :3] - values * harm[..., 3:]) * len(numbers) / total
    found = [over_texts_and_batches(*each) for each in zip(wholes, of_texts, np.moveaxis(z, -1, 0), strict=True)]
    return [_inside_0_and_1(share) for share in found]


def _inside_0_and_1(share: Estimate) -> Estimate:
    low, high = share.interval or (0.0, 1.0)
    return replace(share, interval=(max(low, 0.0), min(high, 1.0)))


def _units(cells: Iterable[OfBatches]) -> np.ndarray:
    """The units of all cells, sorted."""
    return np.unique(np.concatenate([next(iter(batches.values())).unit for batches in cells]))


def _totals(cells: Sequence[OfBatches], name: str) -> Float[np.ndarray, "cell U"]:
    """One of the sums of each cell over batches, for the units of all cells."""
    units = _units(cells)
    of_batches = (np.stack([getattr(sums, name) for sums in batches.values()]).astype(float) for batches in cells)
    return np.stack([_aligned(of.sum(0), batches, units) for of, batches in zip(of_batches, cells, strict=True)])


def _aligned(values: Float[np.ndarray, "*B u"], batches: OfBatches, units: np.ndarray) -> Float[np.ndarray, "*B U"]:
    """Values of the units of a cell at their places in `units`, 0 elsewhere."""
    wide = np.zeros((*values.shape[:-1], len(units)))
    wide[..., np.searchsorted(units, next(iter(batches.values())).unit)] = values
    return wide
