"""What users call: gradient dissent of a model."""

from collections.abc import Callable
from typing import Any, Literal

from zerosum.dissent._record import Dissent
from zerosum.errors import MissingExtra


def measure_dissent(
    model: Any,
    tokens: Any,
    *,
    unit: Any = None,
    seed: int = 0,
    tokens_per_batch: int | Literal["auto"] = "auto",
    along: Callable[[str, int, int], None] | None = None,
) -> Dissent:
    """How far attraction towards the labels and repulsion from all other tokens oppose each other in the gradient.

    At each last hidden state, at the rows of the head, and, propagated back, in every parameter of the body; the
    formulas are in `_forces.py`. Source: Mircea et al. 2024, Gradient Dissent in Language Model Training and
    Saturation. Rows of the head are centred by their mean: the sum of both forces does not change by that, the angle
    between them does.

    model: a causal language model of torch, in float32 or float64, with a linear head; a bias of the head and a
    positive factor on all logits are allowed. It is measured in evaluation mode and left as it was. Frozen parameters
    are left out. tokens: ids, [S, L] integers, -1 where a sequence is padded at its end; N of them are predicted.
    unit: the resampling unit, such as a document, of each sequence [S] or token [S, T], for intervals of means over
    tokens; by default each sequence is one. seed: of the bootstrap. tokens_per_batch: predictions measured at a time,
    which changes no result beyond rounding. along: called with what is being done, how many sequences are done, and of
    how many.

    Raises InputError for tokens that do not fit the model, a model whose logits are not linear in its last hidden state
    (a soft cap), losses that are not finite, and too little memory.
    """
    try:
        from zerosum.dissent import _measurement as measurement
    except ImportError as missing:
        raise MissingExtra("torch", "lm") from missing
    report = along or (lambda words, done, of: None)
    record: Dissent = measurement.measure(model, tokens, unit, seed, tokens_per_batch, report)
    return record
