"""Per-token gradients: how far the tokens of a batch oppose each other, coordinate by coordinate. Needs torch.

`_oracle.py` is the slow and obvious way. `_exact.py` gives the same sums without storing a per-token gradient, for
models made of the layers that `layerwise/` knows; `_general.py` takes any other; `_sampled.py` estimates them.
`_measure.py` is what users call, `run.py` what the command line does; `_result.py` is the record that is returned,
stored, read and shown, `over_training/` what the records of several checkpoints say.
Names are loaded when first used: reading a store needs no torch, and a record alone needs no store.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:
    from zerosum.gradients._accuracy import DtypeError, Verified
    from zerosum.gradients._measure import first_order_changes, gradient_interference
    from zerosum.gradients._parameter_set import ParameterSet
    from zerosum.gradients._result import INTERVALS, NUMBERS, POSITIONWISE, GradientInterference
    from zerosum.gradients._store import STORE, open_gradients, read_gradients
    from zerosum.gradients.over_training import GradientsOverTraining

_FILES = {
    "_accuracy": ["DtypeError", "Verified"],
    "_measure": ["first_order_changes", "gradient_interference"],
    "_parameter_set": ["ParameterSet"],
    "_result": ["INTERVALS", "NUMBERS", "POSITIONWISE", "GradientInterference"],
    "_store": ["STORE", "open_gradients", "read_gradients"],
    "over_training": ["GradientsOverTraining"],
}
_load, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_FILES)

__all__ = [
    "INTERVALS",
    "NUMBERS",
    "POSITIONWISE",
    "STORE",
    "DtypeError",
    "GradientInterference",
    "GradientsOverTraining",
    "ParameterSet",
    "Verified",
    "first_order_changes",
    "gradient_interference",
    "open_gradients",
    "read_gradients",
]

_OF_DISSENT = {
    "DISSENT_LEVELS": "DISSENT_LEVELS",
    "Dissent": "Dissent",
    "dissent": "measure_dissent",
    "first_reached": "first_reached",
}
"""Names that are in `zerosum.dissent` now, the room above this one, and that scripts find here as before."""


def __getattr__(name: str) -> Any:
    if name in _OF_DISSENT:
        return getattr(import_module("zerosum.dissent"), _OF_DISSENT[name])
    return _load(name)
