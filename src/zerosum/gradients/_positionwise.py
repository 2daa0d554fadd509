"""A proxy that one ordinary backward pass gives: what each *position* contributes to the gradient of the summed loss.

It is not the gradient of one token's loss: below the last attention, a position contributes to the losses of all
tokens after it, and a token's gradient comes from all positions before it. Only the sums over everything agree.

Letters: S sequences of L = T + 1 tokens, n positions, o and i outputs and inputs of a matrix; c_tj what position t
contributes to coordinate j.
"""

from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients._head import logits_of
from zerosum.gradients._layers import recording
from zerosum.gradients._parameters import trainable
from zerosum.gradients._recorder import Recorder
from zerosum.gradients._sums import GradientSums


def positionwise_sums(model: Any, tokens: Any) -> GradientSums:
    """net: sum_t c_tj, which is the gradient of the summed loss. mass: sum_t |c_tj|. Float64 of passes in the model's.

    model: in evaluation mode. tokens: [S, L] ids as a tensor on its device. Each use of a parameter at a position is a
    contribution: of a matrix the outer product of output gradient and input, of norms, biases and embeddings one row.

    Raises Unsupported where the model has a layer that no rule is known for.
    """
    recorder = _PositionRecorder(trainable(model), len(tokens))
    with recording(model, recorder):
        recorder.begin(tokens.shape[1] - 1)
        logits = logits_of(model, tokens[:, :-1]).flatten(0, 1)
        torch.autograd.backward(functional.cross_entropy(logits, tokens[:, 1:].flatten(), reduction="sum"))
    net, mass = ({name: value.double() for name, value in one.items()} for one in (recorder.net, recorder.mass))
    return GradientSums(net, mass, tokens.shape[0] * (tokens.shape[1] - 1))


class _PositionRecorder(Recorder):
    """Adds up contributions as it hears of them: of which use they are makes no difference."""

    def __init__(self, parameters: Any, sequences: int) -> None:
        super().__init__(parameters, sequences)
        self.net, self.mass = ({one.name: torch.zeros_like(one.tensor.detach()) for one in parameters} for _ in "nm")
        self.of_all_tokens()

    def product(self, tensor: Any, given: Any, inputs: Any, own: Any, turned: bool = False) -> None:
        """given, inputs: [S, n, o] and [S, n, i]."""
        if (name := self.name(tensor)) is None:
            return
        rows, columns = (one.flatten(0, 1) for one in ((inputs, given) if turned else (given, inputs)))
        self.net[name].addmm_(rows.T, columns)
        self.mass[name].addmm_(rows.abs().T, columns.abs())

    def vector(self, tensor: Any, values: Any) -> None:
        """values: [S, n, d]."""
        if tensor is not None and (name := self.name(tensor)) is not None:
            self.net[name] += values.sum((0, 1))
            self.mass[name] += values.abs().sum((0, 1))

    def rows(self, tensor: Any, ids: Any, given: Any, places: Any) -> None:
        """given: [S, n, d] of the embedding's rows `ids`, [S, n]."""
        if (name := self.name(tensor)) is not None:
            self.net[name].index_add_(0, ids.flatten(), given.flatten(0, 1))
            self.mass[name].index_add_(0, ids.flatten(), given.abs().flatten(0, 1))
