"""Per-token gradients: how far the tokens of a batch oppose each other, coordinate by coordinate. Needs torch.

`_oracle.py` is the slow and obvious way. `_exact.py` gives the same sums without storing a per-token gradient, for
models made of the layers in `_layers.py`; `_general.py` takes any other; `_sampled.py` estimates them. `_measure.py` is
what users call.
"""

from zerosum.gradients._dissent_measure import dissent
from zerosum.gradients._dissent_reached import DISSENT_LEVELS, first_reached
from zerosum.gradients._dissent_result import Dissent
from zerosum.gradients._measure import first_order_changes, gradient_interference
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._store import STORE, open_gradients

__all__ = [
    "DISSENT_LEVELS",
    "STORE",
    "Dissent",
    "GradientInterference",
    "dissent",
    "first_order_changes",
    "first_reached",
    "gradient_interference",
    "open_gradients",
]
