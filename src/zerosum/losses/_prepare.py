"""Open the store that a measurement goes on with, or begin it; refuse one that was made of something else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from zerosum.errors import InputError
from zerosum.losses._layout import Entry, Layout, create, extend, read, record, with_entries
from zerosum.losses._pieces import Facts, Piece, Pieces
from zerosum.losses._store import open_store


def prepare(path: Path, wanted: Layout, pieces: Pieces, replace: bool = False) -> Layout:
    """Make the store at `path` one that holds the wanted checkpoints, those of earlier calls kept; its layout.

    Marks which pieces are done: those that are marked, or of a store that was complete, and can be read. To be called
    by one process at a time. Raises InputError, and touches nothing, where the store is damaged or was made of other
    tokens, other weights or in another precision; with `replace` such a store is begun anew.
    """
    if path.exists():
        try:
            return _continued(path, wanted, pieces)
        except InputError:
            if not replace:
                raise
    pieces.remove()
    create(path, wanted)
    pieces.folder.mkdir()
    return wanted


def _continued(path: Path, wanted: Layout, pieces: Pieces) -> Layout:
    store = open_store(path)
    known = _entries(path, store, wanted)
    old = with_entries(wanted, known)
    pieces.folder.mkdir(exist_ok=True)
    _mark_done(path, store.attrs, old, pieces)
    layout = with_entries(wanted, known | {entry.step: entry for entry in wanted.entries})
    if layout.steps != old.steps:
        if pieces.others_at_work():
            raise InputError(
                f"{path}: another process measures into this store, and knows fewer checkpoints. Start again when it "
                "has ended."
            )
        extend(path, old, layout, pieces)
    elif store.attrs.get("complete") and not all(pieces.is_done(piece) for piece in layout.pieces):
        record(path, {"complete": False})
    return layout


def _entries(path: Path, store: xr.Dataset, wanted: Layout) -> dict[int, Entry]:
    """The checkpoints of a store that was made like the wanted one."""
    try:
        store = store.drop_vars(list(store.data_vars)).load()
        steps, hashes = store["step"].values.tolist(), store.attrs["weight_sha256"]
        seen = [None if np.isnan(one) else int(one) for one in store["tokens_seen"].values]
        known = {step: Entry(step, *rest) for step, *rest in zip(steps, hashes, seen, strict=True)}
        found = {name: store.attrs.get(name) for name in ("data_sha256", "dtype")}
        intact = steps == sorted(known) and np.array_equal(store["token"].values, wanted.tokens.ids[:, 1:])
    except Exception as error:
        raise _damaged(path) from error
    for name, words in (("data_sha256", "other tokens (DATA, tokenizer or options)"), ("dtype", "another --dtype")):
        if found[name] != wanted.attrs.get(name):
            raise InputError(f"{path}: made with {words}. Choose another --store; this one was not touched.")
    if not intact:
        raise _damaged(path)
    for entry in wanted.entries:
        if entry.step in known and known[entry.step].weight_sha256 != entry.weight_sha256:
            raise InputError(
                f"{path}: made of other weights of step {entry.step}. Choose another --store; this one was not touched."
            )
    return known


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: this store is damaged. Move it away and measure again, or choose another --store.")


def _mark_done(path: Path, attrs: dict[str, Any], layout: Layout, pieces: Pieces) -> None:
    noise = dict(zip(layout.steps, attrs.get("noise_floor_of_checkpoint") or [None] * len(layout.steps), strict=False))
    for piece in layout.pieces:
        marked = pieces.is_done(piece)
        if not (marked or attrs.get("complete")):
            continue
        if not _is_whole(path, layout, piece):
            pieces.undo(piece)
        elif not marked:
            pieces.finish(piece, Facts(tuple(_notes(attrs, piece)), noise.get(piece.step), attrs.get("vocab_size")))


def _notes(attrs: dict[str, Any], piece: Piece) -> Iterator[str]:
    """What was noted of this checkpoint when the store became complete; kept once, with its first piece."""
    for problem in attrs.get("problems", []):
        if problem.get("code") == "measured-otherwise" and piece.step in problem["steps"] and piece.block == 0:
            yield problem["message"]


def _is_whole(path: Path, layout: Layout, piece: Piece) -> bool:
    try:
        arrays = read(path, layout, piece)
    except Exception:  # noqa: BLE001 - whatever the damage leads to, the piece can be measured again
        return False
    padding = ~layout.tokens.predicted[layout.rows(piece)]
    return bool(np.isnan(arrays["loss"][padding]).all())
