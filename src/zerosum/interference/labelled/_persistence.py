"""Concordance over time: do the same tokens get worse in one pair of checkpoints and in the next?

Letters: K pairs, each beginning where or after the one before it ends; U resampling units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.estimate import Estimate
from zerosum.interference._agreement import Agreement, sign_agreement
from zerosum.interference._bootstrap import DRAWS, FEWEST_UNITS, bootstrap_t, ratio
from zerosum.interference._interval import too_few_units
from zerosum.interference._pairs import Pair
from zerosum.interference.labelled._change import Store, Units, change_between
from zerosum.record import Record


@dataclass(frozen=True, repr=False)
class Persistence(Record):
    """Agreement of signs between two pairs of checkpoints.

    shares_checkpoint: the second pair begins where the first ends. Chance fluctuations of that checkpoint then enter
    both changes with opposite signs, which lowers the agreement.
    """

    first: Pair
    second: Pair
    shares_checkpoint: bool
    found: Agreement

    def to_json(self) -> dict[str, Any]:
        """The later pair, and the agreement of the earlier one with it."""
        return {
            "from_step": self.second[0],
            "to_step": self.second[1],
            "shares_checkpoint": self.shares_checkpoint,
            **self.found.to_json(),
        }


def persistence(
    store: Store, pairs: Sequence[Pair], units: Units, *, level: float = 0.95, seed: int = 0
) -> Iterator[Persistence]:
    """Each pair with the next one, and with the next one that has no checkpoint in common with it."""
    change_of = lru_cache(maxsize=3)(lambda pair: change_between(store, *pair))  # the next pairs need two of them again
    for first in pairs:
        for second in _followers(first, pairs):
            a, b = change_of(first), change_of(second)
            both = a.kept & b.kept
            if both.any():
                unit = np.broadcast_to(units.id, both.shape)
                agreement = sign_agreement(a.x, b.x, unit, both, level=level, seed=seed)
                yield Persistence(first, second, first[1] == second[0], agreement)


def _followers(first: Pair, pairs: Sequence[Pair]) -> list[Pair]:
    later = sorted(pair for pair in pairs if pair[0] >= first[1])
    without_overlap = [pair for pair in later if pair[0] > first[1]]
    return list(dict.fromkeys([*later[:1], *without_overlap[:1]]))


@dataclass(frozen=True, repr=False)
class WorseOften(Record):
    """How many tokens got worse in more than half of K successive pairs.

    pairs: K. at_least: the smallest number of pairs that is more than half. share: of tokens worse in so many pairs.
    expected: what it would be if a token's signs were independent from pair to pair. N: tokens with a change in all.
    times: [K + 1] share of tokens worse in 0, 1, ... K pairs; times_expected: the same for independent signs.
    interval: of the share, over units; None with the reason.
    """

    pairs: tuple[Pair, ...]
    at_least: int
    share: float
    expected: float
    N: int
    n_units: int
    times: tuple[float, ...]
    times_expected: tuple[float, ...]
    interval: tuple[float, float] | None
    interval_reason: str | None

    @property
    def estimate(self) -> Estimate:
        """The share with its interval over units."""
        return Estimate(self.share, self.interval, reason=self.interval_reason or "", N=self.N, of="tokens")

    def to_json(self) -> dict[str, Any]:
        """All numbers; the reason for a missing interval where there is none."""
        document: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        document |= {"pairs": [list(pair) for pair in self.pairs]}
        document |= {name: list(document[name]) for name in ("times", "times_expected")}
        if self.interval is not None:
            document["interval"] = list(self.interval)
            del document["interval_reason"]
        return document


def worse_often(
    store: Store, pairs: Sequence[Pair], units: Units, *, level: float = 0.95, seed: int = 0
) -> WorseOften | None:
    """Tokens that get worse in most successive pairs; None for fewer than two such pairs, or no common token."""
    chain = _chain(pairs)
    if len(chain) < 2:
        return None
    changes = (change_between(store, *pair) for pair in chain)
    first = next(changes)
    in_all, worse = first.kept.copy(), [first.x > 0]
    for change in changes:
        in_all &= change.kept
        worse.append(change.x > 0)
    if not in_all.any():
        return None
    times = np.sum([rose[in_all] for rose in worse], axis=0)
    at_least = len(chain) // 2 + 1
    ids, index = np.unique(np.broadcast_to(units.id, in_all.shape)[in_all], return_inverse=True)
    sums = np.stack([np.bincount(index, times >= at_least), np.bincount(index)], axis=1).astype(np.float64)
    few = too_few_units(len(ids)) if len(ids) < FEWEST_UNITS else None
    ends = None if few else bootstrap_t(sums, [ratio(0, 1)], level, DRAWS, seed)[0]
    expected = _independent([float(rose[in_all].mean()) for rose in worse])
    return WorseOften(
        pairs=tuple(chain),
        at_least=at_least,
        share=float((times >= at_least).mean()),
        expected=float(expected[at_least:].sum()),
        N=int(in_all.sum()),
        n_units=len(ids),
        times=tuple((np.bincount(times, minlength=len(chain) + 1) / times.size).tolist()),
        times_expected=tuple(expected.tolist()),
        interval=(max(ends[0], 0.0), min(ends[1], 1.0)) if ends else None,
        interval_reason=few,
    )


def _chain(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs that do not overlap, from the first on."""
    chain: list[Pair] = []
    for pair in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        if not chain or pair[0] >= chain[-1][1]:
            chain.append(pair)
    return chain


def _independent(shares: Sequence[float]) -> Float[np.ndarray, " K1"]:
    """Distribution of the number of successes in independent trials of these probabilities.

    >>> _independent([0.5, 0.5]).tolist()
    [0.25, 0.5, 0.25]
    """
    distribution = np.ones(1)
    for share in shares:
        distribution = np.convolve(distribution, [1 - share, share])
    return distribution
