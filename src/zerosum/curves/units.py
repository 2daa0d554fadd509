"""Units of a loss. A curve is in nats per token; other units are converted when asked and refused otherwise."""

import math
import re

import numpy as np
from jaxtyping import Float

from zerosum.curves._note import Note
from zerosum.errors import InputError

CHANCE = math.log(2**20)  # nats; no vocabulary is larger
FEWEST = 3  # rows
SAME_BASE = 0.03  # relative, of the logarithm's base: losses and perplexities are rounded, or averaged apart

_BITS_PER_BYTE = re.compile(r"(?<![a-z])(bpb|bpc|bits?[ _/-]?(per[ _/-]?)?(byte|char(acter)?)s?)(?![a-z])")
_BITS_PER_TOKEN = re.compile(r"(?<![a-z])(bpt|bits([ _/-]?per[ _/-]?token)?|base[ _]?2|log2)(?![a-z])")
_PERPLEXITY = re.compile(r"(?<![a-z])(ppl|perplexity)(?![a-z])")


def in_nats(
    loss: Float[np.ndarray, " n"],
    column: str,
    bytes_per_token: float | None,
    source: str,
    perplexity: Float[np.ndarray, " n"] | None = None,
) -> tuple[Float[np.ndarray, " n"], tuple[Note, ...]]:
    """Loss in nats per token, and a note on the conversion.

    loss = bits per byte x bytes per token x ln 2. perplexity: logged beside the loss; it tells the base of the loss's
    logarithm. Raises InputError where the column's name says bits per byte and nobody told the bytes per token, or says
    perplexity.

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
        if _BITS_PER_TOKEN.search(plain):
            return loss * math.log(2), (Note("converted", f"{column[:60]!r} is in bits: times ln 2 as nats"),)
        return _by_perplexity(loss, perplexity)
    if not (math.isfinite(bytes_per_token) and bytes_per_token > 0):
        raise InputError(
            f"bytes_per_token: {bytes_per_token} is not a number above 0. Count bytes and tokens of a text."
        )
    factor = bytes_per_token * math.log(2)
    text = f"bits per byte times {factor:.6g} ({bytes_per_token:g} bytes per token) as nats per token"
    return loss * factor, (Note("converted", text),)


def _by_perplexity(
    loss: Float[np.ndarray, " n"], perplexity: Float[np.ndarray, " n"] | None
) -> tuple[Float[np.ndarray, " n"], tuple[Note, ...]]:
    """Loss in nats, by the base with which its power is the perplexity."""
    if perplexity is None:
        return loss, ()
    there = np.isfinite(loss) & np.isfinite(perplexity) & (loss > 0) & (perplexity > 1)
    there &= perplexity < np.max(perplexity, where=there, initial=0)  # trainers cap it
    if there.sum() < FEWEST:
        return loss, ()
    ratio = float(np.median(np.log(perplexity[there]) / loss[there]))
    base = next((base for base in (math.e, 2, 10) if abs(ratio / math.log(base) - 1) < SAME_BASE), None)
    if base == math.e:
        return loss, ()
    if base is None:
        k = int(np.flatnonzero(there)[0])
        text = (
            f"the perplexity beside the loss contradicts it: {perplexity[k]:.4g} where the loss is {loss[k]:.4g}, "
            f"whose exponential is {math.exp(min(loss[k], 700)):.4g}. One of them is not what its name says"
        )
        return loss, (Note("unit-doubtful", text),)
    text = f"the perplexity beside the loss is {base:g} to its power: times ln {base:g} as nats per token"
    return loss * math.log(base), (Note("converted", text),)


def doubtful(loss: Float[np.ndarray, " n"]) -> tuple[Note, ...]:
    """A note where losses are above the logarithm of any vocabulary, which guessing reaches.

    >>> len(doubtful(np.array([10.8, 6.0]))), len(doubtful(np.array([6449.0, 3143.0])))
    (0, 1)
    """
    first = float(np.median(loss[:FEWEST]))
    if first <= CHANCE:
        return ()
    above = f"above {CHANCE:.1f} nats, the cost of a guess among a million tokens"
    if np.median(loss) > CHANCE:
        text = (
            f"most losses are {above}: no cross-entropies per token, perhaps sums over tokens or micro-batches "
            "(accumulation counted twice), or perplexities"
        )
    else:
        text = f"the first losses, about {first:.4g}, are {above}: a large initialisation, or another unit"
    return (Note("unit-doubtful", text),)
