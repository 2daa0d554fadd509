"""Counts a curve in training tokens instead of optimizer steps, so that batch sizes do not matter."""

from dataclasses import replace

import numpy as np

from zerosum.curves._curve import LossCurve
from zerosum.curves._note import Note, code_of
from zerosum.errors import InputError


def tokens_per_step(curve: LossCurve) -> float:
    """Training tokens of one step, over the later half of the log. NaN where the log has none, or too few rows."""
    if curve.tokens is None:
        return float("nan")
    half = min(len(curve) // 2, len(curve) - 1)
    steps, tokens = curve.step[-1] - curve.step[half], curve.tokens[-1] - curve.tokens[half]
    return float(tokens / steps) if steps > 0 else float("nan")


def by_tokens(curve: LossCurve) -> LossCurve:
    """The curve with tokens instead of steps, in units of the tokens of a late step.

    Where every step takes the same this changes nothing; after a batch-size warm-up early steps are shorter than one.
    Raises InputError for a log without tokens, or one in which they do not grow.
    """
    label = curve.source or curve.name
    if curve.tokens is None:
        left_out = (note for note in curve.cleaning if code_of(note) == "tokens-left-out")
        why = next(left_out, "no tokens in this log")
        raise InputError(f"{label}: {why}. Name their column (--tokens), or compare by steps (--axis steps).")
    unit = tokens_per_step(curve)
    if not unit > 0 or (np.diff(curve.tokens) < 0).any():
        raise InputError(f"{label}: tokens do not grow with the steps. Name another column (--tokens).")
    step = curve.tokens / unit
    if np.allclose(step, curve.step, rtol=1e-9, atol=1e-9):
        return curve
    text = f"counted in tokens: one step stands for {unit:,.0f} tokens, as many as a late step of this run takes"
    return replace(curve, step=step, cleaning=(*curve.cleaning, Note("counted-in-tokens", text)))
