"""A proxy that one ordinary backward pass gives: what each *position* contributes to the gradient of the summed loss.

It is not the gradient of one token's loss: below the last attention layer, a position contributes to the losses of all
tokens after it, and a token's gradient comes from all positions before it. Only the sums over everything agree, and
the gradients of what is behind the last attention.

Letters: S sequences of L = T + 1 tokens; c_tj what position t contributes to coordinate j.
"""

from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients._exact import consistent
from zerosum.gradients._sums import GradientSums
from zerosum.gradients.layerwise._accumulators import Both, MassAccumulator, NetAccumulator
from zerosum.gradients.layerwise._layers import recording
from zerosum.gradients.layerwise._position_accumulator import PositionAccumulator
from zerosum.gradients.layerwise._recorder import Recorder
from zerosum.gradients.parameters import trainable
from zerosum.losses.forward import logits_of


def positionwise_sums(model: Any, tokens: Any) -> GradientSums:
    """net: sum_t c_tj, which is the gradient of the summed loss. mass: sum_t |c_tj|. Float64 of passes in the model's.

    model: in evaluation mode. tokens: [S, L] ids as a tensor on its device. A position's contribution to a matrix is
    the outer product of output gradient and input, to a norm, a bias or an embedding one row; of a parameter that is
    used more than once, a tied one too, the sum over its uses.

    Raises Unsupported where the model has a layer that no rule is known for.
    """
    parameters, (S, T) = trainable(model), (tokens.shape[0], tokens.shape[1] - 1)
    recorder, net = Recorder(parameters, S), NetAccumulator(parameters)
    mass = PositionAccumulator.into(MassAccumulator(parameters), T)
    recorder.accumulator = Both(net, mass)
    with recording(model, recorder):
        recorder.begin(T)
        recorder.of_all_tokens()
        logits = logits_of(model, tokens[:, :-1]).flatten(0, 1)
        torch.autograd.backward(functional.cross_entropy(logits, tokens[:, 1:].flatten(), reduction="sum"))
        recorder.finish_pass()
    return GradientSums(*consistent(net.net, mass.mass), S * T)
