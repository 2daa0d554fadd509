"""First-order loss changes of all tokens at once, by forward-mode differentiation.

Letters: S sequences of L = T + 1 tokens.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from zerosum.gradients.parameters import trainable
from zerosum.losses.forward import logits_in, without_cache


def first_order(model: Any, tokens: Any, update: Mapping[str, Any]) -> Any:
    """What each token's loss would change by if it were linear in the parameters: sum_j g_ij u_j, nats, [S, T].

    model: in evaluation mode. tokens: [S, L] ids as a tensor on its device. update: u of each trainable parameter by
    name (see `trainable`); one that is left out does not move.
    """
    values, tangents = _directions(model, update)

    def losses(parameters: dict[str, Any]) -> Any:
        logits = logits_in(torch.func.functional_call(model, parameters, (tokens[:, :-1],), tie_weights=False))
        loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
        return loss.view(len(tokens), -1)

    # The fused kernels of the CPU know no forward mode.
    with sdpa_kernel(SDPBackend.MATH), torch.no_grad(), _padding_stands_still(model), without_cache(model):
        return torch.func.jvp(losses, (values,), (tangents,))[1]


@contextmanager
def _padding_stands_still(model: Any) -> Iterator[None]:
    """Backward mode gives an embedding's padding row no gradient where it is looked up; forward mode would."""

    def at_padding(module: Any, inputs: Any, named: Any, output: Any) -> Any:
        ids = inputs[0] if inputs else next(iter(named.values()))
        if not (torch.is_tensor(ids) and torch.is_tensor(output)):  # positions that a kind of embedding makes itself
            return output
        return torch.where((ids == module.padding_idx)[..., None], output.detach(), output)

    embeddings = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    padded = [embedding for embedding in embeddings if embedding.padding_idx is not None]
    hooks = [embedding.register_forward_hook(at_padding, with_kwargs=True) for embedding in padded]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _directions(model: Any, update: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Value and direction in every module that has a parameter: a tied one is in several."""
    names = {id(parameter.tensor): parameter.name for parameter in trainable(model)}
    values, tangents = {}, {}
    # Each module once: one that has two names would be put back wrongly by `functional_call`.
    for alias, tensor in (
        (f"{path}.{name}".lstrip("."), tensor)
        for path, module in model.named_modules()
        for name, tensor in module.named_parameters(recurse=False, remove_duplicate=False)
    ):
        u = update.get(names.get(id(tensor), ""))
        values[alias] = tensor.detach()
        tangents[alias] = torch.zeros_like(tensor) if u is None else torch.as_tensor(u).to(tensor)
    return values, tangents
