"""Measure the pieces of a store, beside other processes that do the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from zerosum.checkpoints import Checkpoint, unused_weights
from zerosum.losses._around import AroundStep
from zerosum.losses._layout import AROUND, Layout, write
from zerosum.losses._model_losses import ModelLosses, TokensPerBatch
from zerosum.losses._piece import Facts, Piece, Pieces
from zerosum.losses.quantities import quantities
from zerosum.sharing import Results, work_through

NOISE_SEQUENCES = 8  # measured twice for the noise floor

OnPiece = Callable[[int, int, int], None]
Arrays = dict[str, Float32[np.ndarray, "_ _"]]


@dataclass
class OneModel:
    """Loads one model at a time; the model before is released first."""

    load: Callable[[Checkpoint], Any]
    tokens_per_batch: TokensPerBatch
    step: int | None = None
    losses: ModelLosses | None = None

    def __call__(self, checkpoint: Checkpoint) -> ModelLosses:
        """The function from ids to losses of this checkpoint."""
        if self.losses is None or self.step != checkpoint.step:
            self.losses = None
            self.losses = ModelLosses(self.load(checkpoint), self.tokens_per_batch)
            self.step = checkpoint.step
        return self.losses


@dataclass(frozen=True)
class Measurement:
    """How pieces are measured.

    load_float32: to measure the rounding error of another precision; None where the models are in float32 anyway.
    """

    layout: Layout
    models: OneModel
    around: AroundStep | None
    by_step: Mapping[int, Checkpoint]
    load_float32: Callable[[Checkpoint], Any] | None = None

    def __call__(self, piece: Piece) -> tuple[Arrays, Facts]:
        """The arrays of a piece, and what was noticed."""
        checkpoint, ids = self.by_step[piece.step], self.layout.tokens.ids[self.layout.rows(piece)]
        losses_of = self.models(checkpoint)
        arrays = losses_of.with_quantities(ids, quantities(self.layout.also))
        noise = None
        if piece.block == 0:
            few = ids[:NOISE_SEQUENCES]
            noise = _difference(losses_of.in_other_batches(few), arrays["loss"])
            if self.load_float32 is not None and noise is not None:
                # Batch composition hardly changes a half-precision loss; rounding does, alike in every batch.
                exact = ModelLosses(self.load_float32(checkpoint), self.models.tokens_per_batch)
                rounding = _difference(exact(few), arrays["loss"])
                noise = None if rounding is None else max(noise, rounding)
        if self.around:
            arrays |= self._around_step(checkpoint, self.around)
        return arrays, Facts(tuple(losses_of.notes), noise, losses_of.vocab_size, unused_weights(losses_of.model))

    def _around_step(self, checkpoint: Checkpoint, around: AroundStep) -> Arrays:
        if checkpoint.step == 0:  # no step is taken from there
            shapes = {name: self.layout.variables[name][1:] for name in AROUND}
            return {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}
        losses = around.losses(checkpoint, self.layout.tokens.ids)
        return {
            "loss_after_step": losses.held_out_after,
            "batch_loss": losses.batch_before,
            "batch_loss_after_step": losses.batch_after,
        }


@dataclass
class _IntoStore(Results[tuple[Arrays, Facts]]):
    """Writes each piece into the store, then its record. wanted: pieces of this call by name."""

    path: Path
    layout: Layout
    pieces: Pieces
    wanted: Mapping[str, Piece]
    on_piece: OnPiece

    def finished(self) -> set[str]:
        """Pieces that are in the store."""
        return self.pieces.records.finished()

    def is_finished(self, piece: str) -> bool:
        """Whether a piece is in the store."""
        return self.pieces.records.is_finished(piece)

    def add(self, piece: str, result: tuple[Arrays, Facts]) -> None:
        """Write a piece, and report how many there are now."""
        arrays, facts = result
        sha256 = write(self.path, self.layout, self.wanted[piece], arrays)
        self.pieces.finish(self.wanted[piece], replace(facts, sha256=sha256))
        done = len(self.finished() & self.wanted.keys())
        self.on_piece(done, len(self.wanted), self.wanted[piece].step)


def measure_pieces(path: Path, pieces: Pieces, measure: Measurement, on_piece: OnPiece) -> None:
    """Measure every piece of the wanted checkpoints that no other process measures; return when all are in the store.

    on_piece: called with (pieces done, of how many, step) after each piece of this process.
    """
    wanted = {piece.name: piece for piece in measure.layout.pieces if piece.step in measure.by_step}
    results = _IntoStore(path, measure.layout, pieces, wanted, on_piece)
    work_through(pieces.job, list(wanted), results, lambda name: measure(wanted[name]))


def _difference(again: Float32[np.ndarray, "s t"], losses: Float32[np.ndarray, "S T"]) -> float | None:
    """Mean |difference| in nats of the tokens measured twice; None where no loss is a number."""
    difference = np.abs(again.astype(np.float64) - losses[: len(again), : again.shape[1]])
    return float(np.nanmean(difference)) if np.isfinite(difference).any() else None
