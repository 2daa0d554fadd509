"""From a store of per-token losses to what the report says of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import xarray as xr

from zerosum.errors import InputError
from zerosum.interference.labelled import (
    PairInterference,
    TokenText,
    change_between,
    coordinate,
    grouping_names,
    measure_groups,
    measure_store,
    most_moved,
    tokens_of,
    units_of,
)
from zerosum.show.interference_words import set_aside
from zerosum.show.run.heat import HeatMap, heat_map
from zerosum.show.run.subject import GroupsOverTime, Missing, TokenLosses

Pair = tuple[int, int]
RECORDED = ("model", "tokenizer", "tokenizer_sha256", "data_sha256", "dtype", "unit", "tokens", "versions")


def token_losses_of(
    store: xr.Dataset,
    pairs: str = "doubling",
    *,
    between: Pair | None = None,
    text: TokenText | None = None,
    documents: int = 3,
    seed: int = 0,
    along: Callable[[Sequence[Pair]], Iterable[Pair]] = iter,
) -> TokenLosses:
    """Everything a report says of a store of per-token losses.

    pairs: as for `measure_store`. between: the steps of the heat map, the last pair without it. text: decodes tokens.
    documents: how many that lost and that gained most are shown. along: wraps the pairs, for a progress bar.
    Raises InputError where no pair can be compared.
    """
    found = measure_store(store, pairs, text=text, seed=seed, along=along)
    if not found.pairs:
        raise InputError(found.failed[0][1])
    groups, missing = _groups(store, found.sound, text, seed, along)
    heat: HeatMap | None = None
    if not found.sound:
        missing.append(Missing("Groups and documents", set_aside(found)))
    try:
        if found.sound or between:
            heat = _heat(store, between or (found.last.from_step, found.last.to_step), text, documents)
    except InputError as error:
        if between is not None:
            raise
        missing.append(Missing("Documents token by token", str(error)))
    missing += [Missing(f"Steps {start} to {end}", why) for (start, end), why in found.failed]
    return TokenLosses(found, groups, heat, tuple(_facts(store)), tuple(missing))


def _groups(
    store: xr.Dataset,
    pairs: Sequence[PairInterference],
    text: TokenText | None,
    seed: int,
    along: Callable[[Sequence[Pair]], Iterable[Pair]],
) -> tuple[tuple[GroupsOverTime, ...], list[Missing]]:
    units = units_of(store)
    splits: dict[str, list[Any]] = {by: [] for by in grouping_names()}
    reasons: dict[str, str] = {}
    by_steps = {(pair.from_step, pair.to_step): pair for pair in pairs}
    for steps in along(list(by_steps)):
        change = change_between(store, *steps)
        for by in splits.keys() - reasons.keys():
            try:
                groups = measure_groups(change, units, by, text, seed=seed)
            except InputError as error:
                reasons[by] = str(error)
                continue
            if groups is not None:
                splits[by].append((by_steps[steps], groups))
    measured = tuple(GroupsOverTime(by, tuple(rows)) for by, rows in splits.items() if rows and by not in reasons)
    return measured, [Missing(f"Groups by {by}", why) for by, why in sorted(reasons.items())]


def _heat(store: xr.Dataset, steps: Pair, text: TokenText | None, documents: int) -> HeatMap | None:
    change = change_between(store, *steps)
    document = coordinate(store, "document")
    if document is None:
        raise InputError("the store does not say which documents its tokens are from. Measure data that names them.")
    found = heat_map(
        change,
        most_moved(change, text, documents),
        document,
        tokens_of(store),
        coordinate(store, "first_token"),
        text,
    )
    if found is None:
        raise InputError(f"steps {steps[0]} and {steps[1]}: no document's loss changed.")
    return found


def _facts(store: xr.Dataset) -> Iterator[tuple[str, str]]:
    """How the store was made, as it says itself."""
    yield "checkpoints", ", ".join(str(step) for step in store["step"].to_numpy().tolist())
    for name in RECORDED:
        value = store.attrs.get(name)
        if isinstance(value, dict):
            yield name, "; ".join(f"{key}: {one}" for key, one in value.items())
        elif value is not None:
            yield name, str(value)
    hashes = store.attrs.get("weight_sha256")
    if isinstance(hashes, list | tuple) and len(hashes) == store.sizes["checkpoint"]:
        for step, one in zip(store["step"].to_numpy().tolist(), hashes, strict=True):
            yield f"weight_sha256, step {step}", str(one)
