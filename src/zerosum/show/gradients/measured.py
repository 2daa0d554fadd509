"""From a store of per-token gradients to what the report says of it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from zerosum.errors import InputError
from zerosum.show.gradients.subject import GradientsOverTraining

CHANGES = ("first_order", "loss_change")
PLACES = ("checkpoint", "sequence", "position")


def gradients_of(store: xr.Dataset, name: str) -> GradientsOverTraining:
    """Everything that a store of per-token gradients says.

    store: as `zerosum.gradients.open_gradients` gives it: attrs["documents"], one for each checkpoint, and where an
    update was given first_order and loss_change [checkpoint, sequence, position], nats, with the coordinate unit.
    name: of the run.
    Raises InputError where the documents are not there or not those of the checkpoints.
    """
    documents = store.attrs.get("documents")
    steps = store["step"].to_numpy().tolist() if "step" in store.coords else []
    if not isinstance(documents, list | tuple) or not all(isinstance(one, dict) for one in documents):
        raise InputError("the store of gradients has no documents. Measure again: zerosum gradients RUN --data TEXTS")
    told = [one.get("step") for one in documents]
    if told != steps:
        raise InputError(f"the store of gradients has documents of steps {told} and arrays of {steps}. Measure again.")
    return GradientsOverTraining.of(name, documents, list(_changes(store, len(documents))))


def _changes(store: xr.Dataset, checkpoints: int) -> Iterator[tuple[Any, ...] | None]:
    known = all(name in store and set(PLACES) == set(store[name].dims) for name in CHANGES)
    for k in range(checkpoints):
        if not known:
            yield None
            continue
        arrays = [store[name].transpose(*PLACES)[k].to_numpy().astype(np.float64) for name in CHANGES]
        units = store.attrs["documents"][k].get("units", "sequence")
        yield (*arrays, store["unit"].to_numpy(), units) if "unit" in store.coords else tuple(arrays)
