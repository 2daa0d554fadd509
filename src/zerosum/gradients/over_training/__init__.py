"""Per-token gradients of several checkpoints of a run, and what only these, or their tokens, say. Needs no torch.

Which checkpoints can be compared, when the layers lost agreement between tokens, how well first-order loss changes
predict the real ones, and opposition by layer and type of parameter.
"""

from zerosum.gradients.over_training._by_type import Cell, cells
from zerosum.gradients.over_training._halving import Halving, LayerAgreement, agreement_by_layer, halving
from zerosum.gradients.over_training._prediction import (
    PREDICTED,
    Bins,
    Prediction,
    TokenChanges,
    binned,
    changes_of,
    prediction,
)
from zerosum.gradients.over_training._record import Comparable, GradientsOverTraining

__all__ = [
    "PREDICTED",
    "Bins",
    "Cell",
    "Comparable",
    "GradientsOverTraining",
    "Halving",
    "LayerAgreement",
    "Prediction",
    "TokenChanges",
    "agreement_by_layer",
    "binned",
    "cells",
    "changes_of",
    "halving",
    "prediction",
]
