"""The tokens that are measured around an update: held-out ones, and those of its batch where they are given.

S sequences of L = T + 1 ids, of which as many are measured as the cost allows, the first ones.
"""

import math
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int, Int64

from zerosum.errors import InputError
from zerosum.interference.labelled import OneStep, Split, measure_changes
from zerosum.losses import ModelLosses
from zerosum.monitor.cost import Cost
from zerosum.monitor.neutral import left_as_it_was, plain_model
from zerosum.tokens import TokenSequences, token_ids

FEWEST = 20  # sequences; fewer give no interval


@dataclass(frozen=True)
class Around:
    """The sequences measured around an update, and their losses before it and, later, after it."""

    ids: dict[Split, Int64[np.ndarray, "_ _"]]
    before: dict[Split, Float32[np.ndarray, "_ _"]]
    after: dict[Split, Float32[np.ndarray, "_ _"]]

    @property
    def is_finite(self) -> bool:
        """Whether every predicted token has a finite loss."""
        return all(
            bool(np.isfinite(side[split][ids[:, 1:] >= 0]).all())
            for split, ids in self.ids.items()
            for side in (self.before, self.after)
        )


class Probe:
    """Measures a model and leaves it as it is. forward_seconds: of all forward passes so far.

    Raises InputError for tokens that are no rows of ids, or nothing to predict.
    """

    def __init__(self, model: Any, tokens: Any, optimizer: Any, cost: Cost, tokens_per_batch: int | Literal["auto"]):
        sequences = tokens if isinstance(tokens, TokenSequences) else None
        self.ids = sequences.ids if sequences else token_ids(tokens)
        if not (self.ids[:, 1:] >= 0).any():
            raise InputError("probe_tokens: nothing to predict. Give rows of at least two token ids.")
        self.document: Int[np.ndarray, S * T] | None = sequences.document if sequences else None
        self.model, self._optimizer, self._cost = plain_model(model), optimizer, cost
        self._tokens_per_batch: int | Literal["auto"] = tokens_per_batch
        self._losses_of: ModelLosses | None = None  # made at the first measurement: the model may still move to a GPU
        self.forward_seconds = 0.0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the ids."""
        return sha256(self.ids.astype("<i8").tobytes()).hexdigest()

    def before(self, batch: Int64[np.ndarray, "s L2"] | None) -> Around | None:
        """The losses before an update; None where the cost allows fewer than 20 sequences (or than there are)."""
        if self._cost.per_row is None and self._cost.limit < math.inf:
            self._losses(self.ids[:1])  # slower than later passes
            self._cost.per_row = None
            self._losses(self.ids[:FEWEST])  # of a single sequence, most of the time would be that of the pass itself
        wanted: dict[Split, Int64[np.ndarray, "_ _"]] = {"heldout": self.ids}
        if batch is not None:
            wanted["batch"] = batch
        left = self._cost.rows(sum(map(len, wanted.values())))
        ids: dict[Split, Int64[np.ndarray, "_ _"]] = {}
        for split, rows in wanted.items():
            if left < min(FEWEST, len(rows)):
                break
            ids[split] = rows[:left]
            left -= len(ids[split])
        return Around(ids, {split: self._losses(rows) for split, rows in ids.items()}, {}) if ids else None

    def after(self, around: Around) -> None:
        """Add the losses after the update."""
        around.after.update({split: self._losses(rows) for split, rows in around.ids.items()})

    def changes(self, step: int, around: Around, seed: int) -> tuple[OneStep, ...]:
        """Interference of the changes, held-out tokens first."""
        return tuple(
            OneStep(
                step, split, measure_changes(before, around.after[split], self._documents(split, before), seed=seed)
            )
            for split, before in around.before.items()
        )

    def _documents(self, split: Split, losses: Float32[np.ndarray, "s T"]) -> Int[np.ndarray, "s *T"] | None:
        return None if split == "batch" or self.document is None else self.document[: len(losses)]

    def _losses(self, ids: Int64[np.ndarray, "s L2"]) -> Float32[np.ndarray, "s T2"]:
        """Losses in nats; the time of a sequence is noted for the cost."""
        started = time.perf_counter()
        with left_as_it_was(self.model, self._optimizer):
            self._losses_of = self._losses_of or ModelLosses(self.model, self._tokens_per_batch)
            losses = self._losses_of(ids)
        seconds = time.perf_counter() - started
        self.forward_seconds += seconds
        self._cost.learn_pass(seconds, len(ids))
        return losses
