"""Mean loss of every checkpoint of a store, with its interval."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zerosum.estimate import Estimate
from zerosum.interference._interval import interval, no_interval_reason
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import Store, Units, coordinate, steps_of, units_of


@dataclass(frozen=True)
class CheckpointLoss:
    """loss: mean over the tokens of the store, nats per token. tokens_seen: NaN where unknown.

    noise_floor: mean |difference| in nats of the same tokens in batches composed in another way, or in float32 where
    the store is not; None where it was not measured.
    """

    step: int
    tokens_seen: float
    loss: Estimate
    noise_floor: float | None


def mean_losses(store: Store, *, seed: int = 0) -> tuple[CheckpointLoss, ...]:
    """One entry for each checkpoint; intervals are over documents where there are at least 20, else over sequences."""
    units, steps = units_of(store), steps_of(store)
    seen = store["tokens_seen"].to_numpy().tolist() if "tokens_seen" in store.coords else [math.nan] * len(steps)
    floors = store.attrs.get("noise_floor_of_checkpoint") or [None] * len(steps)
    token = coordinate(store, "token")
    losses = (store["loss"][k].transpose("sequence", "position").to_numpy() for k in range(len(steps)))
    return tuple(
        CheckpointLoss(step, seen[k], _mean(loss, units, ~np.isnan(loss) if token is None else token >= 0, seed), floor)
        for k, (step, loss, floor) in enumerate(zip(steps, losses, floors, strict=True))
    )


def _mean(loss: Float[np.ndarray, "S T"], units: Units, predicted: Bool[np.ndarray, "S T"], seed: int) -> Estimate:
    """Losses are positive, so that M, the mean size, is their mean."""
    missing, n_tokens = int((~np.isfinite(loss[predicted])).sum()), int(predicted.sum())
    if missing or not n_tokens:
        why = "not measured, or no number" if missing == n_tokens else f"{missing:,} of its losses are no number"
        return Estimate(math.nan, reason=why, N=n_tokens, of="tokens", unit="nats per token")
    sums = InterferenceSums.of(loss.astype(np.float64), units.id, predicted)
    ends = interval(sums, seed=seed)
    return Estimate(
        sums.M,
        ends.M if ends else None,
        reason=no_interval_reason(sums) or "",
        N=sums.N,
        of="tokens",
        unit="nats per token",
        level=ends.level if ends else 0.95,
        method=f"{ends.method} ({ends.n_units} units)".replace("units", f"{units.name}s") if ends else "",
    )
