"""Mean over tokens of the other numbers that a store holds beside losses, at every checkpoint."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zerosum.estimate import Estimate
from zerosum.interference._interval import interval, no_interval_reason
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import DIMS, Store, Units, coordinate, steps_of, units_of
from zerosum.record import Record

LOSSES = ("loss", "loss_after_step")


@dataclass(frozen=True, repr=False)
class QuantityOverTraining(Record):
    """The mean of one number per token at every checkpoint. name: its variable. meaning, unit: from the store."""

    name: str
    meaning: str
    unit: str
    steps: tuple[int, ...]
    means: tuple[Estimate, ...]


def quantities_over_training(store: Store, *, seed: int = 0) -> tuple[QuantityOverTraining, ...]:
    """One record for each variable of [checkpoint, sequence, position] that is no loss, by name.

    Intervals are over documents where there are at least 20, else over sequences. A checkpoint where a predicted token
    has no value, or none that is finite, has no mean.
    """
    units, steps, token = units_of(store), steps_of(store), coordinate(store, "token")
    records = []
    for name in sorted(str(name) for name in store.data_vars if name not in LOSSES):
        if set(store[name].dims) != set(DIMS):
            continue
        attrs, means = store[name].attrs, []
        unit = str(attrs.get("units", ""))
        for k in range(len(steps)):
            values = np.asarray(store[name][k].transpose("sequence", "position").to_numpy(), np.float64)
            means.append(_mean(values, units, ~np.isnan(values) if token is None else token >= 0, unit, seed))
        meaning = str(attrs.get("long_name", name))
        records.append(QuantityOverTraining(name, meaning, unit, tuple(steps), tuple(means)))
    return tuple(records)


def _mean(
    values: Float[np.ndarray, "S T"], units: Units, predicted: Bool[np.ndarray, "S T"], unit: str, seed: int
) -> Estimate:
    missing, n_tokens = int((~np.isfinite(values[predicted])).sum()), int(predicted.sum())
    if missing or not n_tokens:
        why = "not measured, or no number" if missing == n_tokens else f"{missing:,} of its values are no number"
        return Estimate(math.nan, reason=why, N=n_tokens, of="tokens", unit=unit)
    sums = InterferenceSums.of(values, units.id, predicted)
    ends = interval(sums, seed=seed)
    return Estimate(
        float(sums.net.sum()) / n_tokens,
        ends.delta_L if ends else None,
        reason=no_interval_reason(sums) or "",
        N=n_tokens,
        of="tokens",
        unit=unit,
        level=ends.level if ends else 0.95,
        method=f"{ends.method} ({ends.n_units} {units.name}s)" if ends else "",
    )
