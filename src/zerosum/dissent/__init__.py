"""Gradient dissent: the attraction of each label against the repulsion of all other tokens. Measuring needs torch.

`_forces.py` has the formulas. Batches, checks of the input and the test of the head are those of `zerosum.gradients`.
"""

from zerosum.dissent._forces import ForceProducts
from zerosum.dissent._levels import DISSENT_LEVELS, Reached, first_reached
from zerosum.dissent._over_training import DissentOverTraining, over_training
from zerosum.dissent._public import measure_dissent
from zerosum.dissent._record import (
    NUMBERS,
    ONE_MATRIX,
    ONE_VECTOR,
    PLACES,
    VECTORS,
    Dissent,
    FrequencyClass,
    PartForces,
    Place,
    Spread,
    estimate_of,
)
from zerosum.dissent._store import read_dissent

__all__ = [
    "DISSENT_LEVELS",
    "NUMBERS",
    "ONE_MATRIX",
    "ONE_VECTOR",
    "PLACES",
    "VECTORS",
    "Dissent",
    "DissentOverTraining",
    "ForceProducts",
    "FrequencyClass",
    "PartForces",
    "Place",
    "Reached",
    "Spread",
    "estimate_of",
    "first_reached",
    "measure_dissent",
    "over_training",
    "read_dissent",
]
