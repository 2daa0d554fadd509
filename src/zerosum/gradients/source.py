"""Provenance of numbers: the checkpoint, and the units that intervals resample."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from zerosum.checkpoints import Checkpoint
    from zerosum.tokens import TokenSequences

FEWEST_DOCUMENTS = 20  # with fewer, sequences are resampled


def head(checkpoint: "Checkpoint") -> dict[str, Any]:
    """source, step and tokens_seen of a checkpoint."""
    seen = checkpoint.tokens_seen
    said = {"source": checkpoint.name, "step": checkpoint.step, "tokens_seen": seen}
    return said | ({} if seen is not None else {"tokens_seen_reason": "neither the run nor a name says"})


def units_of(tokens: "TokenSequences") -> Literal["document", "sequence"]:
    """What intervals resample: documents where there are enough of them."""
    documents = np.unique(tokens.document[tokens.document >= 0]).size
    return "document" if documents >= FEWEST_DOCUMENTS else "sequence"
