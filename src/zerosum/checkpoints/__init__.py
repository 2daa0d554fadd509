"""Find and load models. Knows folders and weights; knows nothing of tokens or measurements."""

from zerosum.checkpoints._load import load_model
from zerosum.checkpoints._run import Checkpoint, Run, open_run

__all__ = ["Checkpoint", "Run", "load_model", "open_run"]
