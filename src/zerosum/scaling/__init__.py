"""Laws across runs: what size and tokens do to the loss and its deceleration. numpy and scipy only, no torch."""

from zerosum.scaling.across_sizes import deceleration
from zerosum.scaling.critical_batch import CriticalBatch, critical_batch
from zerosum.scaling.deceleration_record import DecelerationAcrossSizes
from zerosum.scaling.fit_record import LawFit, Starts
from zerosum.scaling.fitted_law import Optimal, Prediction
from zerosum.scaling.fitting import fit
from zerosum.scaling.held_out import HeldOut, HeldOutLoss, ProtocolError, hold_out
from zerosum.scaling.isoflop import Budget, IsoFlop, isoflop
from zerosum.scaling.laws import law_names
from zerosum.scaling.reading import read_table
from zerosum.scaling.reason import Reason
from zerosum.scaling.runs import losses_of, sized_runs
from zerosum.scaling.size_laws import SizeLaw
from zerosum.scaling.table import LossTable

__all__ = [
    "Budget",
    "CriticalBatch",
    "DecelerationAcrossSizes",
    "HeldOut",
    "HeldOutLoss",
    "IsoFlop",
    "LawFit",
    "LossTable",
    "Optimal",
    "Prediction",
    "ProtocolError",
    "Reason",
    "SizeLaw",
    "Starts",
    "critical_batch",
    "deceleration",
    "fit",
    "hold_out",
    "isoflop",
    "law_names",
    "losses_of",
    "read_table",
    "sized_runs",
]
