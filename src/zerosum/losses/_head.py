"""From a model's hidden states to losses, a few positions at a time: whole logits are never held.

What a model does between its last hidden state and its logits (scaling, a soft cap, a bias) differs between families
and changes between versions. So none of it is repeated here: the model's own forward runs, with a backbone that is
replaced to return hidden states computed before. Letters: s sequences, T positions, n of the s T positions, H hidden,
V vocabulary, Q numbers per token, of which the loss is the first.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from zerosum.losses.batch_size import is_out_of_memory
from zerosum.losses.forward import body_output, logits_of

_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-8}  # nats; else that of half precision
_HALF = 0.1
_CHECKED = 24  # positions of the first sequence

Measure = Callable[[Float[Tensor, "n V"], Int[Tensor, " n"]], Float[Tensor, " n"]]
"""A number per token, from float32 logits and labels of n positions."""


def cross_entropy(logits: Float[Tensor, "n V"], labels: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """-log softmax(logits) at the labels."""
    return functional.cross_entropy(logits, labels, reduction="none")


def measure_whole(
    model: Any, ids: Int[Tensor, "s T"], labels: Int[Tensor, "s T"], others: Sequence[Measure], positions: int
) -> Float[Tensor, "Q s T"]:
    """Cross-entropies from the whole logits at once, float32 nats, then the other numbers, `positions` at a time."""
    logits, flat = logits_of(model, ids).float().flatten(0, -2), labels.flatten()
    values = [cross_entropy(logits, flat)]
    for measure in others:
        parts = zip(torch.split(logits, positions), torch.split(flat, positions), strict=True)
        values.append(torch.cat([measure(of_part, labelled) for of_part, labelled in parts]).float())
    return torch.stack(values).view(-1, *labels.shape)


def measure_in_chunks(
    model: Any, ids: Int[Tensor, "s T"], labels: Int[Tensor, "s T"], others: Sequence[Measure], positions: int
) -> Float[Tensor, "Q s T"]:
    """The same numbers from one run of the backbone, then the head on `positions` positions at a time."""
    backbone = model.base_model
    output = body_output(backbone, ids)
    hidden = output.last_hidden_state.flatten(0, 1).unsqueeze(0)
    flat_ids, flat_labels = ids.flatten().unsqueeze(0), labels.flatten()
    values = torch.empty((1 + len(others), flat_labels.numel()), dtype=torch.float32, device=ids.device)
    for start in range(0, flat_labels.numel(), positions):
        part = slice(start, start + positions)
        with _returning(backbone, type(output)(**{**output, "last_hidden_state": hidden[:, part]})):
            logits = logits_of(model, flat_ids[:, part]).float().flatten(0, -2)
        for row, measure in enumerate((cross_entropy, *others)):
            values[row, part] = measure(logits, flat_labels[part])
    return values.view(-1, *labels.shape)


def why_not_chunked(model: Any, ids: Int[Tensor, "s T"], labels: Int[Tensor, "s T"]) -> str | None:
    """Why the losses of this model cannot be computed in chunks, or None where both ways agree on a first sequence."""
    if getattr(model, "base_model", model) is model or not hasattr(model, "config"):
        return "it has no separate backbone"
    ids, labels = ids[:1, :_CHECKED], labels[:1, :_CHECKED]
    expected = measure_whole(model, ids, labels, (), ids.numel())[0]
    try:
        losses = measure_in_chunks(model, ids, labels, (), positions=max(1, 2 * ids.shape[1] // 3))[0]
    except Exception as error:  # a head that is built in another way can raise anything
        if is_out_of_memory(error):
            raise
        return f"its head cannot be run alone ({type(error).__name__})"
    worst = float((losses - expected).abs().max())
    if worst <= _TOLERANCE.get(next(model.parameters()).dtype, _HALF) or bool(expected.isnan().any()):
        return None
    return f"its head alone gives other losses (by {worst:.2g} nats)"


@contextmanager
def _returning(module: Any, output: Any) -> Iterator[None]:
    """Inside the block, calling the module gives `output`."""
    before = vars(module).get("forward")
    module.forward = lambda *_, **__: output
    try:
        yield
    finally:
        del module.forward
        if before is not None:
            module.forward = before
