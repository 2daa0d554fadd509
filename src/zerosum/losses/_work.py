"""The pieces of a store shared out among processes, each measured by whoever claims it."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from zerosum.checkpoints import Checkpoint
from zerosum.losses._around import AroundStep
from zerosum.losses._layout import Layout, write
from zerosum.losses._model_losses import ModelLosses, TokensPerBatch
from zerosum.losses._pieces import Facts, Piece, Pieces

NOISE_SEQUENCES = 8  # measured twice for the noise floor
_POLL = 0.2  # seconds between looks at pieces of other processes

OnPiece = Callable[[int, int, int], None]


@dataclass
class OneModel:
    """The losses of one checkpoint at a time: the model before is let go first."""

    load: Callable[[Checkpoint], Any]
    tokens_per_batch: TokensPerBatch
    step: int | None = None
    losses: ModelLosses | None = None

    def __call__(self, checkpoint: Checkpoint) -> ModelLosses:
        """From ids to losses."""
        if self.losses is None or self.step != checkpoint.step:
            self.losses = None
            self.losses = ModelLosses(self.load(checkpoint), self.tokens_per_batch)
            self.step = checkpoint.step
        return self.losses


@dataclass(frozen=True)
class Work:
    """What is to be measured. by_step: the checkpoints at hand; the store may have others.

    load_float32: to say what another precision costs; None where the models are in float32 anyway.
    """

    path: Path
    layout: Layout
    pieces: Pieces
    models: OneModel
    around: AroundStep | None
    by_step: Mapping[int, Checkpoint]
    load_float32: Callable[[Checkpoint], Any] | None = None

    def until_done(self, on_piece: OnPiece) -> None:
        """Measure what no other process does, then wait for the others, taking over what they leave behind."""
        wanted = [piece for piece in self.layout.pieces if piece.step in self.by_step]
        # Under torchrun each process begins at another checkpoint, so that each loads few of them.
        begin = len(wanted) * int(os.environ.get("RANK", "0")) // max(1, int(os.environ.get("WORLD_SIZE", "1")))
        left = wanted[begin:] + wanted[:begin]
        while self.pieces.folder.is_dir():  # else another process has finished the store
            left = [piece for piece in left if not self.pieces.is_done(piece)]
            if not left:
                return
            if not any([self._measured(piece, len(wanted), on_piece) for piece in left]):
                time.sleep(_POLL)

    def _measured(self, piece: Piece, total: int, on_piece: OnPiece) -> bool:
        """Measure a piece unless another process does; whether this one has."""
        claim = self.pieces.claim(piece)
        if claim is None:
            return False
        with claim:
            arrays, facts = self._measure(piece, self.by_step[piece.step])
            write(self.path, self.layout, piece, arrays)
            self.pieces.finish(piece, facts)
        done = sum(one.step in self.by_step and self.pieces.is_done(one) for one in self.layout.pieces)
        on_piece(done, total, piece.step)
        return True

    def _measure(self, piece: Piece, checkpoint: Checkpoint) -> tuple[dict[str, Float32[np.ndarray, "_ _"]], Facts]:
        ids = self.layout.tokens.ids[self.layout.rows(piece)]
        losses_of = self.models(checkpoint)
        arrays = {"loss": losses_of(ids)}
        noise = None
        if piece.block == 0:
            few = ids[:NOISE_SEQUENCES]
            noise = _difference(losses_of.in_other_batches(few), arrays["loss"])
            if self.load_float32 is not None and noise is not None:
                # Batches hardly move a half-precision loss; its rounding does, and every batch rounds alike.
                exact = ModelLosses(self.load_float32(checkpoint), self.models.tokens_per_batch)
                rounding = _difference(exact(few), arrays["loss"])
                noise = None if rounding is None else max(noise, rounding)
        if self.around:
            arrays |= self._around_step(checkpoint, self.around)
        return arrays, Facts(tuple(losses_of.notes), noise, losses_of.vocab_size)

    def _around_step(self, checkpoint: Checkpoint, around: AroundStep) -> dict[str, Float32[np.ndarray, "_ _"]]:
        if checkpoint.step == 0:  # no step was taken there
            beside = {name: shape for name, (_, *shape) in self.layout.variables.items() if name != "loss"}
            return {name: np.full(shape, np.nan, np.float32) for name, shape in beside.items()}
        found = around.losses(checkpoint, self.layout.tokens.ids)
        return {
            "loss_after_step": found.held_out_after,
            "batch_loss": found.batch_before,
            "batch_loss_after_step": found.batch_after,
        }


def _difference(again: Float32[np.ndarray, "s t"], losses: Float32[np.ndarray, "S T"]) -> float | None:
    """Mean |difference| in nats of the tokens measured twice; None where no loss is a number."""
    difference = np.abs(again.astype(np.float64) - losses[: len(again), : again.shape[1]])
    return float(np.nanmean(difference)) if np.isfinite(difference).any() else None
