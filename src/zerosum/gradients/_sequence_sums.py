"""The gradient of each sequence as a whole, by one ordinary backward pass: its length, and a sketch of it.

Letters: s sequences, j coordinate of the parameters that D_grad is of, k numbers of a sketch; G_uj sum over the tokens
of sequence u of g_ij.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch.nn import functional

from zerosum.gradients._sums import GradientSums
from zerosum.gradients.batches import Batch, in_memory
from zerosum.gradients.parameters import Parameter
from zerosum.gradients.sketch import Sketcher
from zerosum.losses.forward import logits_of


@dataclass
class SequenceSums:
    """squared: [s] sum_j G_uj^2. sketch: [s, k]. by_coordinate: parameter -> sum_u G_uj^2, float64.

    Of the parameters that D_grad is of. Sums over other sequences of one model are joined with `add`.
    """

    squared: Float[np.ndarray, " s"]
    sketch: Float32[np.ndarray, "s k"]
    by_coordinate: dict[str, Any]

    def add(self, other: "SequenceSums") -> None:
        """Append other sequences, in place."""
        for name, value in other.by_coordinate.items():
            self.by_coordinate[name] += value.to(self.by_coordinate[name])
        self.squared = np.concatenate([self.squared, other.squared])
        self.sketch = np.concatenate([self.sketch, other.sketch])


def sequence_sums(model: Any, part: Batch, sketcher: Sketcher, parameters: Sequence[Parameter] = ()) -> Any:
    """`SequenceSums` of one batch, and sum_i g_ij of `parameters` by name, float64."""
    needed = list({id(own.tensor): own for own in (*sketcher.parameters, *parameters)}.values())
    net, squares = GradientSums.zeros(parameters).net, GradientSums.zeros(sketcher.parameters).net
    squared, sketches = [], []
    for gradients in _each_sequence(model, part, needed):
        for name in net:
            net[name] += gradients[name]
        own = [gradients[parameter.name] for parameter in sketcher.parameters]
        wide = {parameter.name: gradients[parameter.name].double().square() for parameter in sketcher.parameters}
        for name, square in wide.items():
            squares[name] += square
        squared.append(sum(float(square.sum()) for square in wide.values()))
        sketches.append(sketcher.sketch(own).float().cpu().numpy() if own else np.zeros(1, np.float32))
    return SequenceSums(np.array(squared, dtype=np.float64), np.stack(sketches), squares), net


def _each_sequence(model: Any, part: Batch, parameters: Sequence[Parameter]) -> Iterator[dict[str, Any]]:
    """Parameter -> the gradient of the summed loss of one sequence after the other."""
    tensors = [parameter.tensor for parameter in parameters]

    def backward(batch: Batch) -> Any:
        logits = logits_of(model, batch.tokens[:, :-1]).flatten(0, 1)
        loss = functional.cross_entropy(logits, batch.tokens[:, 1:].flatten(), reduction="sum")
        if not (tensors and loss.requires_grad):
            return [None] * len(tensors)
        return torch.autograd.grad(loss, tensors, allow_unused=True)

    for k in range(len(part.rows)):
        for _, gradients in in_memory(Batch(part.rows[k : k + 1], part.tokens[k : k + 1]), backward):
            yield {
                parameter.name: torch.zeros_like(parameter.tensor) if gradient is None else gradient
                for parameter, gradient in zip(parameters, gradients, strict=True)
            }
