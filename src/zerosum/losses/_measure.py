"""Measure checkpoints into a store. A measurement that was stopped continues; several processes share the work."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr

from zerosum.checked_store import CheckedStore
from zerosum.checkpoints import UNUSED_WEIGHTS, Checkpoint, load_model, other_configurations
from zerosum.checkpoints.one_model import require_one_model
from zerosum.checkpoints.problems import identical_weights, misfit_tokenizers
from zerosum.errors import InputError, MissingExtra
from zerosum.losses._around import AroundStep
from zerosum.losses._layout import Entry, Layout, opened, read, record
from zerosum.losses._piece import Piece, Pieces
from zerosum.losses._prepare import prepare
from zerosum.losses._problems import MEASURED_OTHERWISE, implausible_losses, noted, worse_than_chance
from zerosum.losses._store import open_store
from zerosum.losses.quantities import quantities
from zerosum.sharing import locked
from zerosum.tokens import TokenizerFacts, TokenSequences


def measure_losses(
    path: Path,
    checkpoints: Sequence[Checkpoint],
    tokens: TokenSequences,
    *,
    load: Callable[[Checkpoint], Any] = load_model,
    load_float32: Callable[[Checkpoint], Any] = load_model,
    tokens_per_batch: int | Literal["auto"] = "auto",
    dtype: str = "float32",
    model: str | None = None,
    tokenizer: TokenizerFacts | None = None,
    around: AroundStep | None = None,
    also: Sequence[str] = (),
    replace: bool = False,
    on_piece: Callable[[int, int, int], None] = lambda done, total, step: None,
) -> xr.Dataset:
    """Per-token losses of every checkpoint as a store at `path`; see `open_store` for what is in it.

    A store of the same tokens is continued: what is done stays, and checkpoints that it lacks are added. Several
    processes may call this at once, also on several machines that share the folder (see `zerosum.sharing`): each piece
    is measured by one process, and all return when the store is complete.
    load: checkpoint -> model, in precision `dtype`. load_float32: the same in float32, used for another `dtype`: the
    noise floor then includes the rounding error on a few sequences. model: name of the model, for the record.
    tokenizer: facts of the tokenizer that made the tokens. around: a step to measure as well. also: names of
    quantities to measure beside the loss, see `zerosum.losses.quantities`. on_piece: called with
    (pieces done, of how many, step).
    What is damaged in the store is measured again, and named in a problem of code `measured-again`.
    Raises InputError, with the store untouched, where checkpoints are quantised or not of one model, or where it was
    made of other tokens or weights, without a quantity of `also`, or with another step `around` or none; with `replace`
    it is made anew.
    """
    try:
        from zerosum.losses._measure_pieces import Measurement, OneModel, measure_pieces
    except ImportError as missing:
        raise MissingExtra("torch", "lm") from missing
    names = tuple(quantity.name for quantity in quantities(also))
    require_one_model(checkpoints)
    entries = sorted((_entry(checkpoint) for checkpoint in checkpoints), key=lambda entry: entry.step)
    _require_distinct([entry.step for entry in entries])
    attrs = _provenance(tokens, dtype, model, tokenizer)
    if average := checkpoints[0].averaged if checkpoints else None:
        attrs["average"] = average.kind
    wanted = Layout(tuple(entries), tokens, around.batch if around else None, names, attrs)
    models = OneModel(load, tokens_per_batch)
    if not path.exists():
        # Tokens that the model cannot take are refused before a store is created.
        models(checkpoints[0]).require(tokens.ids)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock, pieces = path.with_name(path.name + ".lock"), Pieces(path)
    with locked(lock):
        layout, repaired = prepare(path, wanted, pieces, replace)
    by_step = {checkpoint.step: checkpoint for checkpoint in checkpoints}
    exact = None if dtype == "float32" else load_float32
    measure_pieces(path, pieces, Measurement(layout, models, around, by_step, exact), on_piece)
    with locked(lock):
        _finish(path, layout, pieces, by_step)
    store = open_store(path)
    store.attrs["problems"] += [asdict(problem) for problem in repaired]  # of this call, not of the store
    return store


def _entry(checkpoint: Checkpoint) -> Entry:
    averaged = checkpoint.averaged.to_json() if checkpoint.averaged else None
    return Entry(checkpoint.step, checkpoint.weight_hash(), checkpoint.tokens_seen, averaged)


def _require_distinct(steps: list[int]) -> None:
    if not steps:
        raise InputError("no checkpoints to measure. Give a run directory or folders of checkpoints.")
    twice = sorted({step for step in steps if steps.count(step) > 1})
    if twice:
        raise InputError(f"step {twice[0]}: two checkpoints of this step. Give one of them, or each a --store.")


def _provenance(
    tokens: TokenSequences, dtype: str, model: str | None, tokenizer: TokenizerFacts | None
) -> dict[str, Any]:
    return {
        "unit": "nats per token",
        "dtype": dtype,
        "model": model,
        "data_sha256": tokens.sha256,
        "documents": list(tokens.documents),
        "domains": list(tokens.domains),
        "tokens": tokens.options,
        "tokenizer": tokenizer.name if tokenizer else None,
        "tokenizer_path": tokenizer.path if tokenizer else None,
        "tokenizer_sha256": tokenizer.sha256 if tokenizer else None,
        "versions": {name: version(name) for name in ("zerosum", "torch", "transformers", "numpy")},
    }


def _finish(path: Path, layout: Layout, pieces: Pieces, by_step: Mapping[int, Checkpoint]) -> None:
    """Record what was noticed; a store whose every piece is done says so, and needs no records of pieces any more."""
    if not pieces.job.is_open:  # another process has finished the store
        return
    done = [piece for piece in layout.pieces if pieces.is_done(piece)]
    facts = {piece: pieces.facts(piece) for piece in done}
    noise = {piece.step: facts[piece].noise_floor for piece in done if piece.block == 0}
    sizes = {noticed.vocab_size for noticed in facts.values()} - {None}
    vocab_size = sizes.pop() if len(sizes) == 1 else None
    checked = opened(path, layout, pieces)
    means = _mean_losses(checked, layout, done)
    broken = {step: by_step[step].weights().first_broken() for step in by_step if not math.isfinite(means.get(step, 0))}
    folders = {step: checkpoint.path for step, checkpoint in by_step.items()}
    notes: dict[int, list[str]] = {}
    unused: dict[int, list[str]] = {}
    for piece in done:
        notes.setdefault(piece.step, []).extend(facts[piece].notes)
        unused.setdefault(piece.step, []).extend(filter(None, [facts[piece].unused]))
    problems = [
        *identical_weights({entry.step: entry.weight_sha256 for entry in layout.entries}),
        *implausible_losses(means, broken),
        *misfit_tokenizers(folders),
        *other_configurations(folders),
        *worse_than_chance(means, vocab_size),
        *noted(UNUSED_WEIGHTS, unused),
        *noted(MEASURED_OTHERWISE, notes),
    ]
    complete = len(done) == len(layout.pieces)
    floors = [noise.get(step) for step in layout.steps]
    known = [floor for floor in floors if floor is not None]
    noticed = {
        "noise_floor": max(known, default=None),
        "noise_floor_of_checkpoint": floors,
        "vocab_size": vocab_size,
        "problems": [asdict(problem) for problem in problems],
        "complete": complete,
    }
    record(checked, layout, done, noticed)
    if complete and not pieces.job.is_in_work():
        pieces.job.close()


def _mean_losses(checked: CheckedStore, layout: Layout, done: list[Piece]) -> dict[int, float]:
    """Mean loss of each checkpoint whose pieces are all done, NaN where a loss is no number."""
    n_blocks = len(layout.pieces) // len(layout.entries)
    sums: dict[int, list[float]] = {}
    for piece in done:
        predicted = layout.tokens.predicted[layout.rows(piece)]
        sums.setdefault(piece.step, []).append(
            float(read(checked, layout, piece)["loss"][predicted].sum(dtype=np.float64))
        )
    n_tokens = int(layout.tokens.predicted.sum())
    return {step: sum(parts) / n_tokens for step, parts in sums.items() if len(parts) == n_blocks}
