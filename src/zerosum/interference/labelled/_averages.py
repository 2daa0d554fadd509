"""Interference of a run beside that of averages of its weights, pair by pair, on the same tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.interference._paired import paired_change_in_D, paired_M_ratio
from zerosum.interference._record import Interference
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import Store, Units, change_between, same_tokens, steps_of, units_of
from zerosum.interference.labelled._measure import PairInterference
from zerosum.interference.labelled._store import measure_store
from zerosum.record import Record

OVERLAP = 0.05
"""Share of the later average in iterates up to the earlier step from which on both averages have iterates in common."""


@dataclass(frozen=True, repr=False)
class AveragedPair(Record):
    """One pair of steps. raw: between the weights of both steps; averaged: between averages of weights there.

    change_in_D: of averaging, D averaged minus D raw. M_ratio: M averaged over M raw; what is missing to 1 is movement
    that averaging removes. overlap: share of the later average that lies in iterates up to the earlier step.
    """

    from_step: int
    to_step: int
    raw: Interference
    averaged: Interference
    change_in_D: Estimate
    M_ratio: Estimate
    overlap: float

    @property
    def shares_iterates(self) -> bool:
        """Whether both averages have iterates in common, which makes them alike by itself."""
        return self.overlap > OVERLAP

    def to_json(self) -> dict[str, Any]:
        """Both measurements and how they differ."""
        return {
            "from_step": self.from_step,
            "to_step": self.to_step,
            "raw": self.raw.to_json(),
            "averaged": self.averaged.to_json(),
            "change_in_D": self.change_in_D.to_json(),
            "M_ratio": self.M_ratio.to_json(),
            "overlap": self.overlap,
        }


@dataclass(frozen=True, repr=False)
class AveragedStore(Record):
    """One kind of average beside the weights of each step. average: as "last:64". about: what it is the mean of."""

    average: str
    about: str
    pairs: tuple[AveragedPair, ...]

    def to_json(self) -> dict[str, Any]:
        """The average and every pair."""
        return {"average": self.average, "pairs": [pair.to_json() for pair in self.pairs]}


@dataclass(frozen=True, repr=False)
class RawAndAveraged(Record):
    """D of the weights of each step and of averages of weights, side by side. stores: one for each kind of average."""

    stores: tuple[AveragedStore, ...]

    def to_json(self) -> dict[str, Any]:
        """Every kind of average."""
        return {"averages": [store.to_json() for store in self.stores]}


def beside_averages(
    raw: Store, averaged: Store, pairs: Sequence[PairInterference], about: str = "", *, seed: int = 0
) -> AveragedStore:
    """The pairs of a store that a store of averaged weights has, too.

    pairs: of `raw`, as `measure_store` measured them; those with a problem are left out.
    Raises InputError where the tokens differ, and where no pair is in both stores.
    """
    name = str(averaged.attrs.get("average"))
    if not same_tokens(raw, averaged):
        raise InputError(
            f"average {name}: measured on other tokens than the run, and D of different tokens is not comparable. "
            "Measure both on the same data."
        )
    known, units = set(steps_of(averaged)), units_of(raw)
    sound = {pair.steps: pair for pair in pairs if pair.problem is None and known.issuperset(pair.steps)}
    if not sound:
        raise InputError(f"average {name}: no pair of steps was measured of both. Measure the steps of the run.")
    spans = ",".join(f"{before}:{after}" for before, after in sound)
    both = [(sound[pair.steps], pair) for pair in measure_store(averaged, spans, seed=seed).pairs]
    return AveragedStore(name, about, tuple(_pair(raw, averaged, *measured, units, seed) for measured in both))


def _pair(
    raw: Store, averaged: Store, pair: PairInterference, of_means: PairInterference, units: Units, seed: int
) -> AveragedPair:
    before, after = change_between(raw, *pair.steps), change_between(averaged, *pair.steps)
    both = before.kept & after.kept
    sums = [InterferenceSums.of(change.x, units.id, both) for change in (before, after)]
    steps = steps_of(averaged)
    of_later = (averaged.attrs.get("averaged") or [{}] * len(steps))[steps.index(pair.to_step)]
    return AveragedPair(
        pair.from_step,
        pair.to_step,
        pair.measured,
        of_means.measured,
        paired_change_in_D(sums[0], sums[1], seed=seed),
        paired_M_ratio(sums[0], sums[1], seed=seed),
        overlap(of_later or {}, pair.from_step),
    )


def overlap(averaged: Mapping[str, Any], step: int) -> float:
    """Share of an average that lies in iterates up to a step. averaged: its entry in the store.

    >>> overlap({"form": "last:4", "number": 4, "steps": [7, 10], "iterates": True}, step=8)
    0.5
    """
    steps = [int(known) for known in averaged.get("steps", ())]
    if not averaged.get("iterates"):
        return sum(known <= step for known in steps) / len(steps) if steps else 0.0
    (first, last), (kind, _, number) = steps, str(averaged.get("form")).partition(":")
    if step < first:
        return 0.0
    if kind != "ema":
        return (step - first + 1) / (last - first + 1)
    beta = float(number)
    return (beta ** (last - step) - beta ** (last - first + 1)) / (1 - beta ** (last - first + 1))
