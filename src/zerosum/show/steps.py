"""What real optimizer steps from one checkpoint did to the tokens: each batch, and the mean over batches.

The tokens of a batch move after a step on that batch; the held-out ones are the same for every batch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zerosum.estimate import Estimate
from zerosum.interference import over_repeats
from zerosum.interference.labelled import Changes

SPLITS = ("batch", "heldout")
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
"""What is averaged over batches, and between which ends it can lie; an interval that few batches give may be wider."""


@dataclass(frozen=True)
class BatchReport:
    """One step. sequences: which of the training sequences were in the batch. grad_norm: before clipping."""

    sequences: tuple[int, ...]
    grad_norm: float
    changes: Mapping[str, Changes]


@dataclass(frozen=True)
class StepReport:
    """The steps from one checkpoint. settings: of the optimizer. notes: what to know beside the numbers.

    sequence_length: predicted tokens of a training sequence.
    """

    source: str
    step: int
    settings: Mapping[str, Any]
    notes: tuple[str, ...]
    sequence_length: int
    batches: tuple[BatchReport, ...] = field(repr=False)

    def mean(self, name: str, split: str) -> Estimate:
        """Mean over batches of a number in `RANGE`, with Student's t-interval: what the choice of the batch changes."""
        values = [getattr(one.changes[split].measured, name) for one in self.batches]
        found, (least, most) = over_repeats(values, "batches"), RANGE[name]
        if found.interval is None:
            return found
        return replace(found, interval=(max(least, found.interval[0]), min(most, found.interval[1])))

    def N(self, split: str) -> tuple[int, ...]:
        """Tokens measured around each step."""
        return tuple(one.changes[split].measured.N for one in self.batches)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers: of every batch, and their means with intervals."""
        batches = [
            {
                "batch": number,
                "split": split,
                "grad_norm": one.grad_norm if math.isfinite(one.grad_norm) else None,
                "loss_before": one.changes[split].loss if math.isfinite(one.changes[split].loss) else None,
                "units": one.changes[split].units,
                **one.changes[split].measured.to_json(),
            }
            for number, one in enumerate(self.batches)
            for split in SPLITS
        ]
        return {
            "source": self.source,
            "step": self.step,
            "optimizer": dict(self.settings),
            "notes": list(self.notes),
            "batch_size": len(self.batches[0].sequences),
            "sequence_length": self.sequence_length,
            "sequences": [list(one.sequences) for one in self.batches],
            "batches": batches,
            "over_batches": [self._means(split) for split in SPLITS],
        }

    def _means(self, split: str) -> dict[str, Any]:
        n = self.N(split)
        document: dict[str, Any] = {"split": split, "n_batches": len(n), "N": n[0] if len(set(n)) == 1 else None}
        if document["N"] is None:
            document["N_reason"] = f"batches have {min(n)} to {max(n)} tokens"
        for name in RANGE:
            document |= self.mean(name, split).flat(name)
        return document
