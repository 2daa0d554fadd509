"""Attraction and repulsion of one batch: at each hidden state, at the rows of the head, and in the body's parameters.

Letters: s sequences of L = T + 1 tokens, n = s T tokens, V vocabulary, d width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional

from zerosum.dissent._forces import TwoForces, at_head_rows, at_hidden_states, competitors
from zerosum.dissent._record import NUMBERS
from zerosum.gradients.batches import LOGITS
from zerosum.gradients.head import LinearHead
from zerosum.gradients.parameters import Parameter

PER_TOKEN = (*NUMBERS, "loss")


@dataclass
class ForceSums:
    """Both forces summed over tokens, float64. Those of different tokens add.

    body: parameter -> A and R of its shape, where the forces at all hidden states arrive. head: [V, d] each, at its
    rows; None where it is frozen.
    """

    body: dict[str, TwoForces]
    head: TwoForces | None

    @classmethod
    def zeros(cls, parameters: Sequence[Parameter], head: Any) -> "ForceSums":
        """Zero forces. head: the weight, or None."""
        body = {parameter.name: _zeros(parameter.tensor) for parameter in parameters}
        return cls(body, None if head is None else _zeros(head))

    def add(self, other: "ForceSums") -> None:
        """Add sums over other tokens, in place, so that no third copy is held."""
        pairs = [(self.body[name], forces) for name, forces in other.body.items()]
        pairs += [(self.head, other.head)] if self.head is not None and other.head is not None else []
        for mine, added in pairs:
            mine.attraction.add_(added.attraction.to(mine.attraction))
            mine.repulsion.add_(added.repulsion.to(mine.repulsion))


def _zeros(like: Any) -> TwoForces:
    device = "cpu" if like.device.type == "mps" else like.device  # which has no float64
    a, r = (torch.zeros(like.shape, dtype=torch.float64, device=device) for _ in "ar")
    return TwoForces(a, r)


def forces_of(
    head: LinearHead, tokens: Any, parameters: Sequence[Parameter], with_rows: bool
) -> tuple[ForceSums, dict[str, Float[np.ndarray, "s T"]]]:
    """The sums over the tokens of one batch, and PER_TOKEN of each of them. tokens: [s, L] ids on the model's device.

    parameters: those of the body. with_rows: whether the head is to be measured.
    """
    hidden = head.hidden(tokens[:, :-1])
    labels = tokens[:, 1:].flatten()
    with torch.no_grad():
        forces, of_rows, values_of = _at_the_head(head, hidden.detach().flatten(0, 1), labels, with_rows)
    per_token = {name: values.cpu().numpy().reshape(tokens[:, 1:].shape) for name, values in values_of.items()}
    return ForceSums(_in_the_body(hidden, forces, parameters), of_rows), per_token


def _at_the_head(
    head: LinearHead, hidden: Any, labels: Any, with_rows: bool
) -> tuple[TwoForces, TwoForces | None, dict[str, Any]]:
    """Forces at the hidden states [n, d], at the rows of the head, and PER_TOKEN of each; some positions at a time."""
    whole = TwoForces(torch.empty_like(hidden), torch.empty_like(hidden))
    of_rows = _zeros(head.weight) if with_rows else None
    blocks: dict[str, list[Any]] = {name: [] for name in PER_TOKEN}
    size = max(1, LOGITS // head.weight.shape[0])
    for first in range(0, len(hidden), size):
        place = slice(first, first + size)
        logits = head.logits(hidden[place])
        blocks["loss"].append(functional.cross_entropy(logits, labels[place], reduction="none").cpu().double())
        others = competitors(logits, labels[place])
        del logits
        forces = at_hidden_states(others, head.centred, labels[place])
        whole.attraction[place], whole.repulsion[place] = forces.attraction, forces.repulsion
        for name in NUMBERS:
            blocks[name].append(getattr(forces, name).cpu())
        if of_rows is not None:
            block = at_head_rows(others, hidden[place] * head.scale, labels[place])
            of_rows.attraction.add_(block.attraction)
            of_rows.repulsion.add_(block.repulsion)
    return whole, of_rows, {name: torch.cat(parts) for name, parts in blocks.items()}


def _in_the_body(hidden: Any, forces: TwoForces, parameters: Sequence[Parameter]) -> dict[str, TwoForces]:
    """The forces propagated back to each parameter by two backward passes, those out of reach left out."""
    if not parameters:
        return {}
    tensors = [parameter.tensor for parameter in parameters]
    gradients = []
    for force, again in ((forces.attraction, True), (forces.repulsion, False)):
        start = force.view_as(hidden)
        gradients.append(torch.autograd.grad(hidden, tensors, start, retain_graph=again, allow_unused=True))
    reached = zip(parameters, *gradients, strict=True)
    return {parameter.name: TwoForces(a, r) for parameter, a, r in reached if a is not None and r is not None}
