"""Open the store that a measurement continues, or create it; refuse a store that was made of something else."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from zerosum.checked_store import CheckedStore
from zerosum.checkpoints import UNUSED_WEIGHTS, Problem
from zerosum.errors import MEASURED_AGAIN, Damaged, InputError
from zerosum.losses._layout import AROUND, Entry, Layout, create, extend, opened, read, record, with_entries
from zerosum.losses._piece import Facts, Piece, Pieces
from zerosum.losses._problems import MEASURED_OTHERWISE
from zerosum.losses._store import damaged, measured_quantities, open_damaged
from zerosum.missing import UNKNOWN_STEP

_MADE_OF = {
    "data_sha256": "other tokens (DATA, tokenizer or options)",
    "dtype": "another --dtype",
    "average": "another --average",
}


def prepare(path: Path, wanted: Layout, pieces: Pieces, anew: bool = False) -> tuple[Layout, list[Problem]]:
    """Make the store at `path` hold the wanted checkpoints, beside those of earlier calls.

    Returns its layout, and problems of code `measured-again`: which files were damaged.

    Records which pieces are done: those that were recorded before, or are of a store that was complete, and can be
    read. A store whose damage is not in losses alone is moved aside and begun again. To be called by one process at a
    time. Raises InputError, and touches nothing, where the store was made of other tokens, other weights or in another
    precision; with `anew` such a store is begun again.
    """
    problems = []
    if path.exists():
        try:
            return _continued(path, wanted, pieces)
        except Damaged as error:
            problems = [] if anew else [_move_aside(path, error, pieces)]
        except InputError:
            if not anew:
                raise
    pieces.job.close()
    create(path, wanted)
    pieces.job.open()
    return wanted, problems


def _move_aside(path: Path, error: Damaged, pieces: Pieces) -> Problem:
    if pieces.job.is_in_work():
        raise InputError(f"{path}: damaged ({error.what}) while another process measures into it. Stop that one first.")
    names = (path.with_name(f"{path.name}.damaged{number or ''}") for number in count())
    aside = path.rename(next(name for name in names if not name.exists()))
    words = f"the store was damaged ({error.what}), so all losses were measured again; it is now called {aside.name}"
    return Problem(MEASURED_AGAIN, (), words)


def _continued(path: Path, wanted: Layout, pieces: Pieces) -> tuple[Layout, list[Problem]]:
    store = open_damaged(path)
    known = _entries(path, store, wanted)
    _require_same_step(path, store, wanted)
    wanted = replace(wanted, also=_also(path, store, wanted))
    old = with_entries(wanted, known)
    pieces.job.open()
    checked = opened(path, old, pieces)
    problems = list(_mark_done(checked, store.attrs, old, pieces))
    layout = with_entries(wanted, known | {entry.step: entry for entry in wanted.entries})
    if len(layout.steps) > 1 and UNKNOWN_STEP in layout.steps:
        raise InputError(
            f"{path}: holds other checkpoints, and a step is not known. Append it, as PATH@STEP, or choose another "
            "--store."
        )
    if layout.steps != old.steps:
        if pieces.job.is_in_work():
            raise InputError(
                f"{path}: another process measures into this store, and knows fewer checkpoints. Start again when it "
                "has ended."
            )
        extend(path, old, layout, pieces)
        return layout, problems
    done = [piece for piece in old.pieces if pieces.is_done(piece)]
    if store.attrs.get("complete") and len(done) < len(old.pieces):
        record(checked, old, done, {"complete": False})
    return layout, problems


def _entries(path: Path, store: xr.Dataset, wanted: Layout) -> dict[int, Entry]:
    """The checkpoints of a store that was made like the wanted one."""
    try:
        store = store.drop_vars(list(store.data_vars)).load()
        steps, hashes = store["step"].values.tolist(), store.attrs["weight_sha256"]
        seen = [None if np.isnan(count) else int(count) for count in store["tokens_seen"].values]
        averaged = store.attrs.get("averaged") or [None] * len(steps)
        known = {step: Entry(step, *rest) for step, *rest in zip(steps, hashes, seen, averaged, strict=True)}
        made_of = {name: store.attrs.get(name) for name in ("data_sha256", "dtype", "average")}
        intact = steps == sorted(known) and np.array_equal(store["token"].values, wanted.tokens.ids[:, 1:])
    except InputError:
        raise
    except Exception as error:
        raise damaged(path, f"its attributes or coordinates cannot be read ({type(error).__name__})") from error
    for name, words in _MADE_OF.items():
        if made_of[name] != wanted.attrs.get(name):
            raise InputError(f"{path}: made with {words}. Choose another --store; this one was not touched.")
    if not intact:
        raise damaged(path, "its tokens are not those that it was made of")
    for entry in wanted.entries:
        if entry.step in known and known[entry.step].weight_sha256 != entry.weight_sha256:
            raise InputError(
                f"{path}: made of other weights of step {entry.step}. Choose another --store; this one was not touched."
            )
    return known


def _require_same_step(path: Path, store: xr.Dataset, wanted: Layout) -> None:
    """Losses around a step are in all pieces of a store or in none, for training batches of one shape."""
    known = [store[name].shape[1:] if name in store else None for name in AROUND[1:]]
    if known != [wanted.batch] * len(known):
        made = f"with a training step on batches of shape {known[0]}" if known[0] else "without a training step"
        raise InputError(f"{path}: made {made}. Choose another --store; this one was not touched.")


def _also(path: Path, store: xr.Dataset, wanted: Layout) -> tuple[str, ...]:
    """The quantities of the store, which are measured at further checkpoints too. All that are wanted must be there."""
    known = measured_quantities(store)
    if missing := [name for name in wanted.also if name not in known]:
        raise InputError(
            f"{path}: measured without {', '.join(missing)}. Choose another --store, or move this one away to measure "
            "everything in one store; it was not touched."
        )
    return known


def _mark_done(checked: CheckedStore, attrs: dict[str, Any], layout: Layout, pieces: Pieces) -> Iterator[Problem]:
    """Records which pieces are done; a problem for each that is damaged and has to be measured again."""
    noise = dict(zip(layout.steps, attrs.get("noise_floor_of_checkpoint") or [None] * len(layout.steps), strict=False))
    for piece in layout.pieces:
        marked = pieces.is_done(piece)
        if not (marked or attrs.get("complete")):
            continue
        if damage := _damage(checked, layout, piece):
            pieces.undo(piece)
            words = f"losses of step {piece.step} were damaged ({damage}), and were measured again"
            yield Problem(MEASURED_AGAIN, (piece.step,), words)
        elif not marked:
            notes, unused = (tuple(_notes(attrs, piece, code)) for code in (MEASURED_OTHERWISE, UNUSED_WEIGHTS))
            pieces.finish(piece, Facts(notes, noise.get(piece.step), attrs.get("vocab_size"), "".join(unused)))


def _notes(attrs: dict[str, Any], piece: Piece, code: str) -> Iterator[str]:
    """Notes on this checkpoint from when the store became complete; they belong to its first piece."""
    for problem in attrs.get("problems", []):
        if problem.get("code") == code and piece.step in problem["steps"] and piece.block == 0:
            yield problem["message"]


def _damage(checked: CheckedStore, layout: Layout, piece: Piece) -> str | None:
    """Why the losses of a piece cannot be used; None where they can."""
    try:
        arrays = read(checked, layout, piece)
    except Damaged as error:
        return error.what
    except Exception as error:  # noqa: BLE001 - whatever the damage leads to, the piece can be measured again
        return " ".join(str(error).split())[:200]
    padding = ~layout.tokens.predicted[layout.rows(piece)]
    return None if np.isnan(arrays["loss"][padding]).all() else "there are losses at padding"
