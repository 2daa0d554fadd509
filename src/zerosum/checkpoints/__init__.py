"""Finds checkpoints and loads their models. Knows folders and weights; must not know tokens or measurements.

To support another kind of checkpoint, add a file to `kinds/`; for another naming scheme, add a line to `names.py`.
"""

from zerosum.checkpoints._averages import averaged_run
from zerosum.checkpoints._find import find_checkpoints, only_checkpoint, open_run
from zerosum.checkpoints._load import load_model
from zerosum.checkpoints._run import Checkpoint, Run
from zerosum.checkpoints.average_form import Averaged, AverageForm, described, parse_average
from zerosum.checkpoints.configurations import (
    OTHER_CONFIGURATION,
    UNUSED_WEIGHTS,
    other_configurations,
    setting_differences,
    unused_weights,
)
from zerosum.checkpoints.problems import Problem

__all__ = [
    "OTHER_CONFIGURATION",
    "UNUSED_WEIGHTS",
    "AverageForm",
    "Averaged",
    "Checkpoint",
    "Problem",
    "Run",
    "averaged_run",
    "described",
    "find_checkpoints",
    "load_model",
    "only_checkpoint",
    "open_run",
    "other_configurations",
    "parse_average",
    "setting_differences",
    "unused_weights",
]
