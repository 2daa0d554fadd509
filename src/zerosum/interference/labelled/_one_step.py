"""Loss changes over single optimizer steps, t -> t+1: of held-out tokens and of the batch of the step."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from zerosum.interference._measure import measure
from zerosum.interference._record import Interference
from zerosum.interference.labelled._change import Store, UnitName, choose_units, coordinate, steps_of
from zerosum.interference.labelled._measure import SplitFactors

Split = Literal["heldout", "batch"]
VARIABLES = ("loss_after_step", "batch_loss", "batch_loss_after_step")


@dataclass(frozen=True)
class Changes:
    """Interference of the changes of one step. units: what its interval resamples, "document" or "sequence".

    loss: mean over these tokens before the step, nats per token. between: factors of groupings, where measured.
    """

    loss: float
    units: UnitName
    measured: Interference
    between: tuple[SplitFactors, ...] = ()


@dataclass(frozen=True)
class OneStep:
    """The optimizer step taken after `step`. split: "heldout" tokens or those of the "batch" that it was taken on."""

    step: int
    split: Split
    changes: Changes

    @property
    def measured(self) -> Interference:
        """Interference of the loss changes over this step."""
        return self.changes.measured


def measure_changes(
    before: Float[np.ndarray, "S T"],
    after: Float[np.ndarray, "S T"],
    document: Int[np.ndarray, "S *T"] | None = None,
    *,
    seed: int = 0,
) -> Changes:
    """Interference of after - before, in nats, NaN where nothing is predicted.

    document: which one each sequence or token is from, -1 at padding; where 20 are known they are what the interval
    resamples, else sequences. seed: of the bootstrap and the Monte Carlo nulls.
    """
    of_each = document if document is None or document.ndim == 2 else document[:, None]
    units = choose_units(of_each, len(before))
    change = after.astype(np.float64) - before
    loss = float(np.nanmean(before, dtype=np.float64))
    return Changes(loss, units.name, measure(change, units.id, seed=seed))


def one_steps(store: Store, *, seed: int = 0) -> Iterator[OneStep]:
    """Every step that was measured from a checkpoint of the store, on held-out tokens and then on its batch.

    Nothing where the store has no losses after a step. A checkpoint from which no step was measured (step 0) has NaN
    there and is passed over.
    """
    if not all(name in store for name in VARIABLES):
        return
    document = coordinate(store, "document")
    for index, step in enumerate(steps_of(store)):
        before, after = (_losses(store, name, index) for name in ("loss", "loss_after_step"))
        if np.isfinite(before + after).any():
            yield OneStep(step, "heldout", measure_changes(before, after, document, seed=seed))
        before, after = (_losses(store, name, index) for name in ("batch_loss", "batch_loss_after_step"))
        if np.isfinite(before + after).any():
            yield OneStep(step, "batch", measure_changes(before, after, seed=seed))


def _losses(store: Store, name: str, index: int) -> Float[np.ndarray, "S T"]:
    return np.asarray(store[name].isel(checkpoint=index).to_numpy(), dtype=np.float64)
