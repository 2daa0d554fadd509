"""Mean loss of every checkpoint of a store, with its interval."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zerosum.interference import InterferenceSums, summarize
from zerosum.interference.labelled import Units, units_of
from zerosum.show.suite.summary import Estimate

if TYPE_CHECKING:
    import xarray as xr

    Store = xr.Dataset
else:
    Store = Any  # xarray takes half a second to load


@dataclass(frozen=True)
class CheckpointLoss:
    """loss: mean over the tokens of the store, nats per token. noise_floor: mean |difference| in nats of the same
    tokens in batches composed in another way, or in float32 where the store is not; None where it was not measured."""

    step: int
    tokens_seen: float
    loss: Estimate
    noise_floor: float | None


def mean_losses(store: Store) -> tuple[CheckpointLoss, ...]:
    """One entry for each checkpoint; intervals are over documents where there are at least 20, else over sequences."""
    units = units_of(store)
    predicted = store["token"].to_numpy() >= 0
    steps, seen = store["step"].to_numpy().tolist(), store["tokens_seen"].to_numpy().tolist()
    floors = store.attrs.get("noise_floor_of_checkpoint") or [None] * len(steps)
    return tuple(
        CheckpointLoss(step, seen[k], _mean(store["loss"][k].to_numpy(), units, predicted), floors[k])
        for k, step in enumerate(steps)
    )


def _mean(loss: np.ndarray, units: Units, predicted: np.ndarray) -> Estimate:
    missing = int((~np.isfinite(loss[predicted])).sum())
    n_tokens = int(predicted.sum())
    if missing:
        why = "not measured, or no number" if missing == n_tokens else f"{missing:,} of its losses are no number"
        return Estimate(float("nan"), None, n_tokens, "tokens", reason=why)
    mean = Estimate.mean_loss(summarize(InterferenceSums.of(loss.astype(np.float64), units.id, predicted)))
    return replace(mean, method=mean.method.replace("units", f"{units.name}s"))
