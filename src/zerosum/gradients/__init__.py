"""Per-token gradients: how far the tokens of a batch oppose each other, coordinate by coordinate. Needs torch.

`_oracle.py` is the slow and obvious way. `_exact.py` gives the same sums without storing a per-token gradient, for
models made of the layers that `layerwise/` knows; `_general.py` takes any other; `_sampled.py` estimates them.
`_measure.py` is what users call, `checkpoint.py` what the command line does. Dissent is in `forces/`.
"""

from zerosum.gradients._measure import first_order_changes, gradient_interference
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._store import STORE, open_gradients
from zerosum.gradients.forces._measure import dissent
from zerosum.gradients.forces._reached import DISSENT_LEVELS, first_reached
from zerosum.gradients.forces._result import Dissent

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
