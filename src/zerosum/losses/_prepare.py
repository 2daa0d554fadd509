"""Open the store that a measurement continues, or create it; refuse a store that was made of something else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from zerosum.checked_store import CheckedStore
from zerosum.errors import InputError
from zerosum.losses._layout import Entry, Layout, create, extend, opened, read, record, with_entries
from zerosum.losses._piece import Facts, Piece, Pieces
from zerosum.losses._store import measured_quantities, open_store


def prepare(path: Path, wanted: Layout, pieces: Pieces, anew: bool = False) -> Layout:
    """Make the store at `path` hold the wanted checkpoints, beside those of earlier calls; returns its layout.

    Records which pieces are done: those that were recorded before, or are of a store that was complete, and can be
    read. To be called by one process at a time. Raises InputError, and touches nothing, where the store is damaged or
    was made of other tokens, other weights or in another precision; with `anew` such a store is begun again.
    """
    if path.exists():
        try:
            return _continued(path, wanted, pieces)
        except InputError:
            if not anew:
                raise
    pieces.job.close()
    create(path, wanted)
    pieces.job.open()
    return wanted


def _continued(path: Path, wanted: Layout, pieces: Pieces) -> Layout:
    store = open_store(path)
    known = _entries(path, store, wanted)
    wanted = replace(wanted, also=_also(path, store, wanted))
    old = with_entries(wanted, known)
    pieces.job.open()
    checked = opened(path, old, pieces)
    _mark_done(checked, store.attrs, old, pieces)
    layout = with_entries(wanted, known | {entry.step: entry for entry in wanted.entries})
    if layout.steps != old.steps:
        if pieces.job.is_in_work():
            raise InputError(
                f"{path}: another process measures into this store, and knows fewer checkpoints. Start again when it "
                "has ended."
            )
        extend(path, old, layout, pieces)
        return layout
    done = [piece for piece in old.pieces if pieces.is_done(piece)]
    if store.attrs.get("complete") and len(done) < len(old.pieces):
        record(checked, old, done, {"complete": False})
    return layout


def _entries(path: Path, store: xr.Dataset, wanted: Layout) -> dict[int, Entry]:
    """The checkpoints of a store that was made like the wanted one."""
    try:
        store = store.drop_vars(list(store.data_vars)).load()
        steps, hashes = store["step"].values.tolist(), store.attrs["weight_sha256"]
        seen = [None if np.isnan(count) else int(count) for count in store["tokens_seen"].values]
        known = {step: Entry(step, *rest) for step, *rest in zip(steps, hashes, seen, strict=True)}
        made_of = {name: store.attrs.get(name) for name in ("data_sha256", "dtype")}
        intact = steps == sorted(known) and np.array_equal(store["token"].values, wanted.tokens.ids[:, 1:])
    except InputError:
        raise
    except Exception as error:
        raise _damaged(path) from error
    for name, words in (("data_sha256", "other tokens (DATA, tokenizer or options)"), ("dtype", "another --dtype")):
        if made_of[name] != wanted.attrs.get(name):
            raise InputError(f"{path}: made with {words}. Choose another --store; this one was not touched.")
    if not intact:
        raise _damaged(path)
    for entry in wanted.entries:
        if entry.step in known and known[entry.step].weight_sha256 != entry.weight_sha256:
            raise InputError(
                f"{path}: made of other weights of step {entry.step}. Choose another --store; this one was not touched."
            )
    return known


def _also(path: Path, store: xr.Dataset, wanted: Layout) -> tuple[str, ...]:
    """The quantities of the store, which are measured at further checkpoints too. All that are wanted must be there."""
    known = measured_quantities(store)
    if missing := [name for name in wanted.also if name not in known]:
        raise InputError(
            f"{path}: measured without {', '.join(missing)}. Choose another --store, or move this one away to measure "
            "everything in one store; it was not touched."
        )
    return known


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: this store is damaged. Move it away and measure again, or choose another --store.")


def _mark_done(checked: CheckedStore, attrs: dict[str, Any], layout: Layout, pieces: Pieces) -> None:
    noise = dict(zip(layout.steps, attrs.get("noise_floor_of_checkpoint") or [None] * len(layout.steps), strict=False))
    for piece in layout.pieces:
        marked = pieces.is_done(piece)
        if not (marked or attrs.get("complete")):
            continue
        if not _is_whole(checked, layout, piece):
            pieces.undo(piece)
        elif not marked:
            pieces.finish(piece, Facts(tuple(_notes(attrs, piece)), noise.get(piece.step), attrs.get("vocab_size")))


def _notes(attrs: dict[str, Any], piece: Piece) -> Iterator[str]:
    """Notes on this checkpoint from when the store became complete; they belong to its first piece."""
    for problem in attrs.get("problems", []):
        if problem.get("code") == "measured-otherwise" and piece.step in problem["steps"] and piece.block == 0:
            yield problem["message"]


def _is_whole(checked: CheckedStore, layout: Layout, piece: Piece) -> bool:
    try:
        arrays = read(checked, layout, piece)
    except Exception:  # noqa: BLE001 - whatever the damage leads to, the piece can be measured again
        return False
    padding = ~layout.tokens.predicted[layout.rows(piece)]
    return bool(np.isnan(arrays["loss"][padding]).all())
