"""What real optimizer steps from one checkpoint did to the tokens: each batch, and the mean over batches.

The tokens of a batch are other ones at each step; the held-out tokens are the same for every batch.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from zerosum.estimate import Estimate, number_or_reason
from zerosum.interference._over_repeats import over_repeats
from zerosum.interference.labelled._one_step import Changes, Split
from zerosum.missing import NO_STEP
from zerosum.record import Record

SPLITS: tuple[Split, ...] = ("batch", "heldout")
RANGE = {
    "R": (-1.0, 1.0),
    "D": (0.0, 1.0),
    "M": (0.0, math.inf),
    "delta_L": (-math.inf, math.inf),
    "harmful_share": (0.0, 1.0),
    "null": (0.0, 1.0),
    "null_unit": (0.0, 1.0),
    "excess": (-1.0, 1.0),
}
"""The numbers that are averaged over batches, with the smallest and largest value each can have."""


@dataclass(frozen=True)
class Unseen:
    """A part of a run's loss that its steps had and these have not, or that a checkpoint does not show.

    code: for scripts. message: a sentence without its full stop.
    """

    code: str
    message: str


@dataclass(frozen=True)
class BatchStep:
    """One step. sequences: indices of the training sequences in the batch. grad_norm: before clipping."""

    sequences: tuple[int, ...]
    grad_norm: float
    changes: Mapping[Split, Changes]


@dataclass(frozen=True, repr=False)
class CheckpointSteps(Record):
    """Steps from one checkpoint, one for each batch, all from the same weights and optimizer state.

    source: the checkpoint as the user named it. step: None where unknown. settings: of the optimizer; "clip" is None
    without clipping. notes: assumptions and limits, a sentence each without its full stop, also those of `unseen`.
    sequence_length: predicted tokens of a training sequence.
    """

    source: str
    step: int | None
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    sequence_length: int
    batches: tuple[BatchStep, ...]
    unseen: tuple[Unseen, ...] = ()

    def mean(self, name: str, split: Split) -> Estimate:
        """Mean over batches of a number in `RANGE`; its Student's t-interval covers the choice of the batch."""
        values = [getattr(batch.changes[split].measured, name) for batch in self.batches]
        mean, (least, most) = over_repeats(values, "batches"), RANGE[name]
        if mean.interval is None:
            return mean
        return replace(mean, interval=(max(least, mean.interval[0]), min(most, mean.interval[1])))

    def estimate(self, name: str, split: Split) -> Estimate:
        """The mean over batches; of a single batch, its number with the interval over sequences or documents."""
        if len(self.batches) > 1:
            return self.mean(name, split)
        return self.batches[0].changes[split].measured.estimate(name)

    def N(self, split: Split) -> tuple[int, ...]:
        """Tokens measured around each step."""
        return tuple(batch.changes[split].measured.N for batch in self.batches)

    @property
    def units(self) -> tuple[str, ...]:
        """What intervals of single batches resample: "document", "sequence" or both."""
        return tuple(sorted({changes.units for batch in self.batches for changes in batch.changes.values()}))

    def to_json(self) -> dict[str, Any]:
        """Plain numbers: of every batch, and their means with intervals."""
        return {
            "source": self.source,
            "step": self.step,
            **({"step_reason": NO_STEP} if self.step is None else {}),
            "optimizer": dict(self.settings),
            "notes": list(self.notes),
            "unseen": [asdict(part) for part in self.unseen],
            "batch_size": len(self.batches[0].sequences),
            "sequence_length": self.sequence_length,
            "sequences": [list(batch.sequences) for batch in self.batches],
            "batches": [self._batch(number, split) for number in range(len(self.batches)) for split in SPLITS],
            "over_batches": [self._means(split) for split in SPLITS],
        }

    def _batch(self, number: int, split: Split) -> dict[str, Any]:
        batch = self.batches[number]
        changes = batch.changes[split]
        return {
            "batch": number,
            "split": split,
            **number_or_reason("grad_norm", batch.grad_norm, "not finite"),
            **number_or_reason("loss_before", changes.loss, "no token has a loss"),
            "units": changes.units,
            **changes.measured.to_json(),
            "between": [factors.to_json() for factors in changes.between],
        }

    def _means(self, split: Split) -> dict[str, Any]:
        n = self.N(split)
        document: dict[str, Any] = {"split": split, "n_batches": len(n), "N": n[0] if len(set(n)) == 1 else None}
        if document["N"] is None:
            document["N_reason"] = f"batches have {min(n)} to {max(n)} tokens"
        for name in RANGE:
            document |= self.mean(name, split).flat(name)
        return document
