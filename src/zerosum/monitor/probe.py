"""The tokens that are measured around an update: held-out ones, and those of its batch where they are given.

S sequences of L = T + 1 ids, of which as many are measured as the cost allows, the first ones.
"""

from collections.abc import Sequence
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
from zerosum.monitor.processes import Processes
from zerosum.monitor.sizes import Size, pass_seconds, sizes
from zerosum.tokens import TokenSequences, token_ids

TOGETHER = 8_192  # predictions in a pass that several processes take together; each must choose the same number
FIRST = "first pass"  # slower than later ones


@dataclass(frozen=True)
class Around:
    """The sequences measured around an update, and their losses before it and, later, after it.

    at_average: of the held-out ones at averaged weights, before it; None where they are not measured.
    """

    ids: dict[Split, Int64[np.ndarray, "_ _"]]
    before: dict[Split, Float32[np.ndarray, "_ _"]]
    after: dict[Split, Float32[np.ndarray, "_ _"]]
    at_average: Float32[np.ndarray, "_ _"] | None = None

    @property
    def passes(self) -> list[str]:
        """Kinds of work of the forward passes after the update."""
        return [Size(len(ids), ids.shape[1] - 1).work for ids in self.ids.values()]

    @property
    def is_finite(self) -> bool:
        """Whether every predicted token has a finite loss."""
        return all(
            bool(np.isfinite(side[split][ids[:, 1:] >= 0]).all())
            for split, ids in self.ids.items()
            for side in (self.before, self.after)
        )


def held_out_ids(tokens: Any) -> Int64[np.ndarray, "S L"]:
    """Ids of a probe. Raises InputError for tokens that are no rows of ids, or nothing to predict."""
    ids = tokens.ids if isinstance(tokens, TokenSequences) else token_ids(tokens)
    if not (ids[:, 1:] >= 0).any():
        raise InputError("probe_tokens: nothing to predict. Give rows of at least two token ids.")
    return ids


class Probe:
    """Measures a model and leaves it as it is.

    Raises InputError for tokens that are no rows of ids, or nothing to predict.
    """

    def __init__(
        self,
        model: Any,
        tokens: Any,
        optimizers: Sequence[Any],
        cost: Cost,
        processes: Processes,
        tokens_per_batch: int | Literal["auto"],
    ):
        self.ids = held_out_ids(tokens)
        sequences = tokens if isinstance(tokens, TokenSequences) else None
        self.document: Int[np.ndarray, S * T] | None = sequences.document if sequences else None
        self.sizes = sizes(len(self.ids), self.ids.shape[1] - 1)
        self.model, self._optimizers, self._cost = plain_model(model), optimizers, cost
        self._processes, self._tokens_per_batch = processes, tokens_per_batch
        self._losses_of: ModelLosses | None = None  # made at the first measurement: the model may still move to a GPU

    @property
    def shares_weights(self) -> bool:
        """Whether processes share the weights of the model."""
        return self._processes.share_weights

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the ids."""
        return sha256(self.ids.astype("<i8").tobytes()).hexdigest()

    def before(self, batch: Int64[np.ndarray, "s L2"] | None, reserved: float) -> Around | None:
        """The losses before an update, of as many tokens as the cost allows; None where it allows too few.

        reserved: seconds of what is done at this step beside the forward passes.
        """
        size = self._allowed(self.sizes, reserved)
        if size is None:
            return None
        if self._cost.is_limited and FIRST not in self._cost.recent:
            with self._cost.work(FIRST):
                self._measure(self._part(self.ids, self.sizes[-1])[:1])
            if (size := self._allowed(self.sizes, reserved)) is None:
                return None
        ids: dict[Split, Int64[np.ndarray, "_ _"]] = {"heldout": self._part(self.ids, size)}
        before: dict[Split, Float32[np.ndarray, "_ _"]] = {"heldout": self.losses(ids["heldout"])}
        if batch is not None:
            reserved += pass_seconds(size, self.sizes, self._cost)
            of_batch = sizes(len(batch), batch.shape[1] - 1)
            if (size := self._allowed(of_batch, reserved)) is not None:
                ids["batch"] = self._part(batch, size)
                before["batch"] = self.losses(ids["batch"])
        return Around(ids, before, {})

    def smallest(self, reserved: float) -> float:
        """Seconds of the smallest measurement."""
        return 2 * pass_seconds(self.sizes[-1], self.sizes, self._cost) + reserved

    def _allowed(self, of: tuple[Size, ...], reserved: float) -> Size | None:
        """The largest size that the cost allows, before and after the update; None where it allows none."""
        allows = self._cost.allows
        return next((size for size in of if allows(2 * pass_seconds(size, of, self._cost) + reserved)), None)

    def _part(self, ids: Int64[np.ndarray, "s L2"], size: Size) -> Int64[np.ndarray, "_ _"]:
        return ids[: size.sequences, : size.predictions + 1]

    def after(self, around: Around, reserved: float) -> bool:
        """Add the losses after the update; whether the cost allowed them. reserved: as for `before`."""
        if not self._cost.allows(sum(map(self._cost.predicted, around.passes)) + reserved):
            return False
        around.after.update({split: self.losses(ids) for split, ids in around.ids.items()})
        return True

    def changes(self, step: int, around: Around, seed: int) -> tuple[OneStep, ...]:
        """Interference of the changes, held-out tokens first."""
        return tuple(
            OneStep(
                step, split, measure_changes(before, around.after[split], self._documents(split, before), seed=seed)
            )
            for split, before in around.before.items()
        )

    def _documents(self, split: Split, losses: Float32[np.ndarray, "s T"]) -> Int[np.ndarray, "s *T"] | None:
        return None if split == "batch" else self.documents(losses)

    def documents(self, losses: Float32[np.ndarray, "s t"]) -> Int[np.ndarray, "s *t"] | None:
        """The documents of the first sequences and predictions, as many as there are losses; None where unknown."""
        if self.document is None:
            return None
        rows, columns = losses.shape
        return self.document[:rows] if self.document.ndim == 1 else self.document[:rows, :columns]

    def losses(self, ids: Int64[np.ndarray, "s L2"]) -> Float32[np.ndarray, "s T2"]:
        """Losses in nats; the time of the pass is noted."""
        with self._cost.work(Size(len(ids), ids.shape[1] - 1).work):
            return self._measure(ids)

    def _measure(self, ids: Int64[np.ndarray, "s L2"]) -> Float32[np.ndarray, "s T2"]:
        self._processes.send(ids)
        return self.take(ids)

    def take(self, ids: Int64[np.ndarray, "s L2"]) -> Float32[np.ndarray, "s T2"]:
        """Losses in nats of a pass, which other processes take, too, where they share the weights."""
        with left_as_it_was(self.model, self._optimizers):
            if self._losses_of is None:
                is_free = self._tokens_per_batch == "auto" and self._processes.share_weights
                self._losses_of = ModelLosses(self.model, TOGETHER if is_free else self._tokens_per_batch)
            return self._losses_of(ids)
