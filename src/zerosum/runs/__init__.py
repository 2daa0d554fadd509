"""The run directory, known here and nowhere else: where its log and its measurements lie, and what is missing.

Loads no torch.
"""

from zerosum.runs._directory import RunDirectory, losses_of, open_losses
from zerosum.runs._tokenizer import token_text

__all__ = ["RunDirectory", "losses_of", "open_losses", "token_text"]
