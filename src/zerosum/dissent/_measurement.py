"""One measurement of dissent: checks of the input, the passes over each batch, and the record made from their sums.

Letters: S sequences of L = T + 1 tokens.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from zerosum.dissent._force_sums import PER_TOKEN, ForceSums, forces_of
from zerosum.dissent._forces import products
from zerosum.dissent._frequency import LabelFrequency
from zerosum.dissent._record import NUMBERS, Dissent
from zerosum.dissent._statistics import OfTokens, by_frequency, of_body, of_rows, spreads_of_rows
from zerosum.errors import InputError
from zerosum.gradients.batches import (
    Along,
    Batch,
    TokensPerBatch,
    batches,
    checked_unit,
    in_memory,
    measured_losses,
    measuring,
    require_backward,
    require_memory,
    require_parameters,
    require_seed,
    vocabulary_of,
)
from zerosum.gradients.head import LinearHead, NotLinear, linear_head
from zerosum.gradients.parameters import Parameter
from zerosum.tokens import PADDING

SAME_LOSS = 1e-3  # relative to a loss, or nats below 1: what rounding may do in float32
OF_BODY, OF_HEAD = 24, 40  # bytes for each coordinate: sums, and what one batch adds to them
REFUSALS = {
    "no-head": "a {model} without a linear head separate from its body, and dissent is defined at the hidden state "
    "between them. Give a transformers causal language model that is not wrapped.",
    "capped": "its logits are capped ({detail}), so they are not linear in the hidden state, where dissent is defined. "
    "Measure a model without a cap.",
    "not-linear": "its logits are not those of its head on the last hidden state (something comes after the head), "
    "where dissent is defined. Measure a model whose head is linear.",
}
TIED = ", which need not be 1 where the loss is stationary: there, only what arrives by both paths is 0"


def measure(model: Any, tokens: Any, unit: Any, seed: int, tokens_per_batch: TokensPerBatch, along: Along) -> Dissent:
    """See `zerosum.dissent.measure_dissent`."""
    parameters = require_parameters(model)
    require_seed(seed)
    with measuring(model):
        losses, ids = measured_losses(model, tokens, tokens_per_batch, "of these tokens")
        require_backward(model, parameters, ids)
        unit = checked_unit(unit, losses)
        parts = batches(ids, parameters, tokens_per_batch, vocabulary_of(model, ids))
        head = _linear_head(model, parts[-1].tokens[:, :-1])
        in_body, trained = _below(head, parameters), any(parameter.tensor is head.weight for parameter in parameters)
        needed = OF_BODY * sum(parameter.tensor.numel() for parameter in in_body)
        needed += OF_HEAD * head.weight.numel() if trained else 0
        require_memory(needed, head.weight.device, "sums of both forces")
        sums = ForceSums.zeros(in_body, head.weight if trained else None)
        per_token = {name: np.full(losses.shape, np.nan) for name in PER_TOKEN}
        for batch, (batch_sums, values_of) in _passes(head, parts, in_body, trained, len(ids), along):
            sums.add(batch_sums)
            for name, values in values_of.items():
                per_token[name][batch.rows, : values.shape[1]] = values
        _require_same(per_token["loss"], losses)
        per_token["loss"] = losses.astype(np.float64)
        return _record(ids, per_token, sums, in_body, unit, seed, _notes(model, head, in_body))


def _below(head: LinearHead, parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    """The trainable parameters of the body."""
    ids = {id(tensor) for tensor in head.body.parameters()}
    return tuple(parameter for parameter in parameters if id(parameter.tensor) in ids)


def _passes(
    head: LinearHead, parts: list[Batch], parameters: tuple[Parameter, ...], rows: bool, total: int, along: Along
) -> Iterator[tuple[Batch, tuple[ForceSums, dict[str, Float[np.ndarray, "s T"]]]]]:
    """Each batch with its sums; halves of one that does not fit the memory."""
    done = 0
    along("forces", done, total)
    for part in parts:
        for batch, forces in in_memory(part, lambda batch: forces_of(head, batch.tokens, parameters, rows)):
            yield batch, forces
            done += len(batch.rows)
            along("forces", done, total)


def _linear_head(model: Any, ids: Any) -> LinearHead:
    """The head. Raises InputError where dissent is not defined."""
    try:
        return linear_head(model, ids)
    except NotLinear as error:
        why = REFUSALS[error.code].format(model=type(model).__name__, detail=error.detail)
        raise InputError(f"model: {why}") from None


def _require_same(by_head: Float[np.ndarray, "S T"], losses: Float32[np.ndarray, "S T"]) -> None:
    """Refuse where the head by itself gives other losses than the model."""
    gap = np.abs(by_head - losses) / np.maximum(1.0, losses)
    worst = float(np.nanmax(gap))
    if worst > SAME_LOSS:
        raise InputError(
            f"model: its head on the last hidden state gives other losses than the model (by {worst:.2g} nats), so it "
            "is not linear there, where dissent is defined. Measure a model whose head is linear."
        )


def _notes(model: Any, head: LinearHead, in_body: tuple[Parameter, ...]) -> tuple[str, ...]:
    notes = [
        f"{parameter.name} is embedding and head: its path through the body is among the parameters, the other one is "
        f"the head's{TIED}"
        for parameter in in_body
        if parameter.tensor is head.weight
    ]
    if head.bias is not None:
        notes.append("the head has a bias: it takes part in q, its own two forces are not measured")
    if head.scale != 1:
        notes.append(f"logits are the head's times {head.scale:.6g}, and so are both forces")
    frozen = sum(not parameter.requires_grad for parameter in model.parameters())
    if frozen:
        notes.append(f"{frozen} frozen parameters are left out")
    return tuple(notes)


def _record(
    ids: Int64[np.ndarray, "S L"],
    per_token: dict[str, Float[np.ndarray, "S T"]],
    sums: ForceSums,
    in_body: tuple[Parameter, ...],
    unit: Any,
    seed: int,
    notes: tuple[str, ...],
) -> Dissent:
    predicted = ids[:, 1:] != PADDING
    units = np.arange(len(ids))[:, None] if unit is None else unit
    tokens = OfTokens(per_token, predicted, units, seed)
    frequency = LabelFrequency.of(ids[:, 1:][predicted])
    rows = {} if sums.head is None else of_rows(sums.head, frequency.labels)
    body, parameters, layers = of_body(sums, in_body)
    return Dissent(
        N=int(predicted.sum()),
        n_sequences=int(predicted.any(1).sum()),
        seed=seed,
        units="sequence" if unit is None else "given",
        n_units=np.unique(np.broadcast_to(units, predicted.shape)[predicted]).size,
        loss=tokens.spread("loss", predicted),
        token=tokens.spreads(predicted, NUMBERS),
        rows=spreads_of_rows(rows, np.ones(len(frequency.labels), dtype=bool)),
        n_unlabelled=0 if sums.head is None else sums.head.attraction.shape[0] - len(frequency.labels),
        head=None if sums.head is None else products(sums.head.attraction, sums.head.repulsion),
        body=body if in_body else None,
        parameters=parameters,
        layers=layers,
        frequency=by_frequency(tokens, frequency, rows),
        reasons={"head": "the head is frozen", "body": "every parameter below the head is frozen"},
        notes=notes,
        per_token=per_token,
    )
