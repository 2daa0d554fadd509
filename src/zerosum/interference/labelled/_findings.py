"""All measurements of one store, for a page, a terminal or a notebook: pairs, groups, documents, single steps."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.errors import InputError
from zerosum.interference._pairs import Pair
from zerosum.interference.labelled._change import Store, UnitName, change_between, coordinate, tokens_of, units_of
from zerosum.interference.labelled._heat import HeatMap, heat_map
from zerosum.interference.labelled._mean_losses import CheckpointLoss, mean_losses
from zerosum.interference.labelled._measure import FACTORS, MeasuredGroups, PairInterference, measure_groups
from zerosum.interference.labelled._moved import most_moved
from zerosum.interference.labelled._one_step import OneStep, one_steps
from zerosum.interference.labelled._quantities import QuantityOverTraining, quantities_over_training
from zerosum.interference.labelled._store import StoreInterference, measure_store
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings import grouping_names
from zerosum.record import Record

Along = Callable[[Sequence[Pair]], Iterable[Pair]]
RECORDED = ("model", "tokenizer", "tokenizer_sha256", "data_sha256", "dtype", "unit", "tokens", "versions")


@dataclass(frozen=True)
class LeftOut:
    """A measurement that a store does not allow. what: its name for people. why: in one line. code: of the cause.

    Codes: "no-sound-pair", "groups-unavailable", "documents-unavailable", "pair-failed".
    """

    what: str
    why: str
    code: str


@dataclass(frozen=True)
class GroupsOverTime:
    """One way to split the tokens, at every pair of sound checkpoints in which a loss moved."""

    by: str
    splits: tuple[tuple[PairInterference, MeasuredGroups], ...]

    @property
    def last(self) -> tuple[PairInterference, MeasuredGroups]:
        """The last pair and its groups."""
        return self.splits[-1]


@dataclass(frozen=True, repr=False)
class StoreFindings(Record):
    """What a store of per-token losses says.

    found: every pair of checkpoints. groups: each grouping that the store knows enough for. heat: the documents that
    moved most. one_steps: changes over single optimizer steps, where they were measured. mean_losses: of every
    checkpoint. quantities: other numbers per token of the store. facts: (what, how) the store was made. left_out: what
    could not be measured.
    """

    found: StoreInterference
    groups: tuple[GroupsOverTime, ...] = ()
    heat: HeatMap | None = None
    one_steps: tuple[OneStep, ...] = ()
    mean_losses: tuple[CheckpointLoss, ...] = ()
    quantities: tuple[QuantityOverTraining, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def of(cls, found: StoreInterference) -> "StoreFindings":
        """The pairs alone, with the grouping that `measure_store` was asked for."""
        splits = tuple((pair, pair.groups) for pair in found.sound if pair.groups)
        return cls(found, groups=(GroupsOverTime(splits[0][1].by, splits),) if splits else ())

    @property
    def last(self) -> PairInterference:
        """The last pair of checkpoints, of those without a problem if there are any."""
        return self.found.last

    def pairs_to_json(self) -> list[dict[str, Any]]:
        """As `StoreInterference.pairs_to_json`, with the splits by every grouping."""
        documents = self.found.pairs_to_json()
        for pair, document in zip(self.found.pairs, documents, strict=True):
            for name in ("by", "groups", *FACTORS):
                document.pop(name, None)
                document.pop(f"{name}_reason", None)
            document.pop("by_note", None)
            splits = (groups for split in self.groups for of, groups in split.splits if of.steps == pair.steps)
            document["splits"] = [groups.to_json() for groups in splits]
        return documents


def findings_of(
    store: Store,
    pairs: str = "doubling",
    *,
    between: Pair | None = None,
    text: TokenText | None = None,
    documents: int = 3,
    units: UnitName | None = None,
    groups: bool = True,
    heat: bool = True,
    seed: int = 0,
    along: Along = iter,
) -> StoreFindings:
    """Measure all that a store of per-token losses allows.

    pairs, units: as for `measure_store`. between: the steps of the heat map, the last pair without it. text: decodes
    tokens. documents: how many that lost and that gained most are shown. groups, heat: whether they are wanted.
    along: wraps the pairs, for a progress bar. Raises InputError where no pair can be compared, or where `between`
    cannot be shown; what else the store does not allow is listed in `left_out`.
    """
    found = measure_store(store, pairs, units=units, text=text, seed=seed, along=along)
    if not found.pairs:
        raise InputError(found.failed[0][1])
    split, left_out = _groups(store, found, units, text, seed, along) if groups else ((), [])
    shown, no_documents = _documents(store, found, between, text, documents) if heat else (None, [])
    failed = [LeftOut(f"Steps {start} to {end}", why, "pair-failed") for (start, end), why in found.failed]
    return StoreFindings(
        found=found,
        groups=split,
        heat=shown,
        one_steps=tuple(one_steps(store, seed=seed)),
        mean_losses=mean_losses(store, seed=seed),
        quantities=quantities_over_training(store, seed=seed),
        facts=tuple(_facts(store)),
        left_out=(*left_out, *_no_sound_pair(found), *no_documents, *failed),
    )


def _no_sound_pair(found: StoreInterference) -> list[LeftOut]:
    if found.sound:
        return []
    codes = ", ".join(sorted({pair.problem for pair in found.pairs if pair.problem}))
    why = f"every pair touches a checkpoint that is not what its name says ({codes}), so nothing is summed up."
    return [LeftOut("Groups and documents", why, "no-sound-pair")]


def _groups(
    store: Store,
    found: StoreInterference,
    units: UnitName | None,
    text: TokenText | None,
    seed: int,
    along: Along,
) -> tuple[tuple[GroupsOverTime, ...], list[LeftOut]]:
    """Every grouping at every sound pair; a grouping that is refused once is left out as a whole."""
    resampled = units_of(store, units)
    splits: dict[str, list[tuple[PairInterference, MeasuredGroups]]] = {by: [] for by in grouping_names()}
    reasons: dict[str, str] = {}
    by_steps = {(pair.from_step, pair.to_step): pair for pair in found.sound}
    for steps in along(list(by_steps)):
        change = change_between(store, *steps)
        for by in (name for name in splits if name not in reasons):
            try:
                groups = measure_groups(change, resampled, by, text, seed=seed)
            except InputError as error:
                reasons[by] = str(error)
                continue
            if groups is not None:
                splits[by].append((by_steps[steps], groups))
    measured = tuple(GroupsOverTime(by, tuple(rows)) for by, rows in splits.items() if rows and by not in reasons)
    return measured, [LeftOut(f"Groups by {by}", why, "groups-unavailable") for by, why in sorted(reasons.items())]


def _documents(
    store: Store, found: StoreInterference, between: Pair | None, text: TokenText | None, documents: int
) -> tuple[HeatMap | None, list[LeftOut]]:
    if not found.sound and between is None:
        return None, []
    try:
        return _heat(store, between or (found.last.from_step, found.last.to_step), text, documents), []
    except InputError as error:
        if between is not None:
            raise
        return None, [LeftOut("Documents token by token", str(error), "documents-unavailable")]


def _heat(store: Store, steps: Pair, text: TokenText | None, documents: int) -> HeatMap:
    change = change_between(store, *steps)
    document = coordinate(store, "document")
    if document is None:
        raise InputError("the store does not say which documents its tokens are from. Measure data that names them.")
    moved = most_moved(change, text, documents)
    shown = heat_map(change, moved, document, tokens_of(store), coordinate(store, "first_token"), text)
    if shown is None:
        raise InputError(f"steps {steps[0]} and {steps[1]}: no document's loss changed.")
    return shown


def _facts(store: Store) -> Iterator[tuple[str, str]]:
    """How the store was made, as it says itself."""
    steps = store["step"].to_numpy().tolist()
    yield "checkpoints", ", ".join(map(str, steps))
    for name in RECORDED:
        value: Any = store.attrs.get(name)
        if isinstance(value, dict):
            yield name, "; ".join(f"{key}: {part}" for key, part in value.items())
        elif value is not None:
            yield name, str(value)
    hashes = store.attrs.get("weight_sha256")
    if isinstance(hashes, list | tuple) and len(hashes) == len(steps):
        yield from ((f"weight_sha256, step {step}", str(sha256)) for step, sha256 in zip(steps, hashes, strict=True))
