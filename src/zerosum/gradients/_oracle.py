"""The slow, obvious way: one backward pass for each token. Everything faster is tested against it.

Letters: S sequences of L = T + 1 tokens, N = S T token losses.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients._sums import GradientSums
from zerosum.gradients.layerwise._per_token import TokenNumbers
from zerosum.gradients.parameters import trainable
from zerosum.losses.forward import logits_of


def token_gradients(model: Any, tokens: Any, which: Any = None) -> Iterator[dict[str, Any]]:
    """The gradient of one token's loss after the other: parameter name -> tensor, in the order of `which`.

    model: in evaluation mode. tokens: [S, L] ids as a tensor on its device. which: [n, 2] (sequence, position) pairs;
    None: all, sequence by sequence. Position t predicts `tokens[:, t + 1]`.
    """
    parameters = trainable(model)
    for s, t in _places(tokens, which):
        logits = logits_of(model, tokens[s : s + 1, :-1])[0, t]
        loss = functional.cross_entropy(logits[None], tokens[s, t + 1][None])
        gradients = torch.autograd.grad(loss, [parameter.tensor for parameter in parameters], allow_unused=True)
        yield {
            parameter.name: torch.zeros_like(parameter.tensor) if gradient is None else gradient.detach()
            for parameter, gradient in zip(parameters, gradients, strict=True)
        }


def _places(tokens: Any, which: Any) -> list[tuple[int, int]]:
    pairs = itertools.product(range(len(tokens)), range(tokens.shape[1] - 1)) if which is None else which
    return [(int(s), int(t)) for s, t in pairs]


def numbers_of(gradients: Mapping[str, Any], update: Mapping[str, Any] | None) -> dict[str, float]:
    """Of one token's gradients g_ij, in float64: norm_l1 sum_j |g_ij|, norm_l2 the root of sum_j g_ij^2, moved
    sum_j |p_ij| and first_order sum_j p_ij, nats. update: u by name; None: the latter two are 0."""
    wide = {name: gradient.double() for name, gradient in gradients.items()}
    products = [wide[name] * u.to(wide[name]) for name, u in (update or {}).items()]
    return {
        "norm_l1": sum(float(g.abs().sum()) for g in wide.values()),
        "norm_l2": sum(float(g.square().sum()) for g in wide.values()) ** 0.5,
        "moved": sum(float(p.abs().sum()) for p in products),
        "first_order": sum(float(p.sum()) for p in products),
    }


def oracle_sums(
    model: Any, tokens: Any, update: Mapping[str, Any] | None = None, *, which: Any = None, per_token: bool = False
) -> GradientSums:
    """`GradientSums` by adding up `token_gradients`. which: as there. update, per_token: as for `exact_sums`."""
    sums, places = GradientSums.zeros(trainable(model)), _places(tokens, which)
    u = {} if update is None else {name: value.double() for name, value in update.items() if name in sums.net}
    numbers = TokenNumbers.unknown(len(tokens), tokens.shape[1] - 1, u)
    for place, gradients in zip(places, token_gradients(model, tokens, places), strict=True):
        sums.n_tokens += 1
        whole = {name: gradient.double() for name, gradient in gradients.items()}
        for name, gradient in whole.items():
            sums.net[name] += gradient
            sums.mass[name] += gradient.abs()
        numbers.l1[place] = sum(float(gradient.abs().sum()) for gradient in whole.values())
        numbers.l2_squared[place] = sum(float(gradient.square().sum()) for gradient in whole.values())
        for name in u:
            numbers.signed[name][place] = float((whole[name] * u[name]).sum())
            numbers.absolute[name][place] = float((whole[name] * u[name]).abs().sum())
    sums.tokens = numbers if per_token else None
    return sums
