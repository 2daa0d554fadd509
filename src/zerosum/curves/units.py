"""Units of a loss. A curve is in nats per token; other units are converted when asked and refused otherwise."""

import math
import re

import numpy as np
from jaxtyping import Float

from zerosum.curves._note import Note
from zerosum.errors import InputError

_BITS_PER_BYTE = re.compile(r"(?<![a-z])(bpb|bpc|bits?[ _/-]?(per[ _/-]?)?(byte|char(acter)?)s?)(?![a-z])")
_PERPLEXITY = re.compile(r"(?<![a-z])(ppl|perplexity)(?![a-z])")


def in_nats(
    loss: Float[np.ndarray, " n"], column: str, bytes_per_token: float | None, source: str
) -> tuple[Float[np.ndarray, " n"], tuple[Note, ...]]:
    """Loss in nats per token, and a note on the conversion.

    loss = bits per byte x bytes per token x ln 2. Raises InputError where the column's name says bits per byte and
    nobody told the bytes per token, or says perplexity.

    >>> in_nats(np.array([1.0]), "val_bpb", 4.0, "a.csv")[0].round(4).tolist()
    [2.7726]
    """
    plain = column.lower()
    if _PERPLEXITY.search(plain):
        raise InputError(
            f"{source}: {column[:60]!r} is a perplexity, not a loss. Choose the column of its logarithm, the loss."
        )
    if bytes_per_token is None:
        if _BITS_PER_BYTE.search(plain):
            raise InputError(
                f"{source}: {column[:60]!r} is in bits per byte, not in nats per token. "
                "Say bytes_per_token=B, the tokenizer's mean bytes per token, to convert it, or choose another column."
            )
        return loss, ()
    if not (math.isfinite(bytes_per_token) and bytes_per_token > 0):
        raise InputError(
            f"bytes_per_token: {bytes_per_token} is not a number above 0. Count bytes and tokens of a text."
        )
    factor = bytes_per_token * math.log(2)
    text = f"bits per byte times {factor:.6g} ({bytes_per_token:g} bytes per token) as nats per token"
    return loss * factor, (Note("converted", text),)
