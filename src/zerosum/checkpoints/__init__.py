"""Find and load models. Knows folders and weights; knows nothing of tokens or measurements.

A kind of checkpoint is one file in `kinds/`; names of checkpoints live in `names.py`.
"""

from zerosum.checkpoints._find import find_checkpoints, open_run
from zerosum.checkpoints._load import load_model
from zerosum.checkpoints._run import Checkpoint, Run
from zerosum.checkpoints.problems import Problem

__all__ = ["Checkpoint", "Problem", "Run", "find_checkpoints", "load_model", "open_run"]
