"""Per-token gradients: how far the tokens of a batch oppose each other, coordinate by coordinate. Needs torch.

`_oracle.py` is the slow and obvious way. `_exact.py` gives the same sums without storing a per-token gradient, for
models made of the layers that `layerwise/` knows; `_general.py` takes any other; `_sampled.py` estimates them.
`_measure.py` is what users call, `checkpoint.py` what the command line does.
"""

from importlib import import_module
from typing import Any

from zerosum.gradients._measure import first_order_changes, gradient_interference
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._store import STORE, open_gradients

__all__ = [
    "STORE",
    "GradientInterference",
    "first_order_changes",
    "gradient_interference",
    "open_gradients",
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
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
