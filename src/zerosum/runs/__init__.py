"""The run directory, known here and nowhere else: its log, what was measured of it and where, what is missing.

Loads no torch.
"""

from zerosum.runs._directory import RunDirectory, losses_of, open_losses
from zerosum.runs._facts import RunFacts
from zerosum.runs._read import CURVE, GRADIENTS, LOSSES, MeasuredRun, Wanted, read_run
from zerosum.runs._tokenizer import token_text

__all__ = [
    "CURVE",
    "GRADIENTS",
    "LOSSES",
    "MeasuredRun",
    "RunDirectory",
    "RunFacts",
    "Wanted",
    "losses_of",
    "open_losses",
    "read_run",
    "token_text",
]
