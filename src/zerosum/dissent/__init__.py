"""Gradient dissent: the attraction of each label against the repulsion of all other tokens. Measuring needs torch.

`_forces.py` has the formulas. Batches, checks of the input and the test of the head are those of `zerosum.gradients`.
"""

from zerosum.dissent._levels import DISSENT_LEVELS, first_reached
from zerosum.dissent._public import measure_dissent
from zerosum.dissent._record import Dissent

__all__ = ["DISSENT_LEVELS", "Dissent", "first_reached", "measure_dissent"]
