"""Forward passes in bfloat16 (torch's autocast: products in bfloat16, norms and sums in float32), and their error.

Parameters stay in float32, and so do the sums over tokens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from zerosum.errors import InputError
from zerosum.gradients._accuracy import DtypeError
from zerosum.gradients._numbers import opposition
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients._sums import GradientSums
from zerosum.gradients.parameters import in_D_grad, trainable

DTYPES = ("float32", "bfloat16")
COMPARED = 16  # tokens


def require_dtype(model: Any, dtype: str) -> None:
    """Raises InputError for a precision that is not one of DTYPES, and for a narrow one of a model in float64."""
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: not offered. Choose one of {', '.join(DTYPES)}.")
    if dtype != "float32" and any(parameter.dtype == torch.float64 for parameter in model.parameters()):
        raise InputError(f"dtype {dtype}: the model is in float64. Load it in float32, or leave dtype out.")


@contextmanager
def narrow(model: Any, dtype: str) -> Iterator[None]:
    """Forward passes of the model, or of its body alone, in `dtype` inside the block; their results are float32."""
    if dtype == "float32":
        yield
        return
    device, to = next(model.parameters()).device.type, getattr(torch, dtype)
    body = getattr(model, "base_model", model)
    modules = [model] if body is model else [model, body]
    forwards = [module.__dict__.get("forward") for module in modules]

    def narrowed(forward: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            with torch.autocast(device, dtype=to):
                return _wide(forward(*arguments, **options))

        return run

    try:
        for module in modules:
            module.forward = narrowed(module.forward)
        yield
    finally:
        for module, forward in zip(modules, forwards, strict=True):
            module.__dict__.pop("forward", None)
            if forward is not None:
                module.forward = forward


def _wide(output: Any) -> Any:
    if isinstance(output, torch.Tensor):
        return output.float()
    for name in ("logits", "last_hidden_state"):
        if isinstance(getattr(output, name, None), torch.Tensor):
            output[name] = output[name].float()
    return output


def dtype_error(model: Any, tokens: Any, dtype: str, seed: int = 0) -> DtypeError:
    """model: in evaluation mode. tokens: [S, L] ids as a tensor on its device, of which a few are drawn."""
    places = [(s, t) for s in range(len(tokens)) for t in range(tokens.shape[1] - 1)]
    drawn = [places[k] for k in np.random.default_rng(seed).permutation(len(places))[:COMPARED]]
    wide = list(token_gradients(model, tokens, drawn))
    with narrow(model, dtype):
        rounded = list(token_gradients(model, tokens, drawn))
    gaps, sizes = [], []
    for pair in zip(wide, rounded, strict=True):
        g, h = (torch.cat([value.double().flatten() for value in gradients.values()]) for gradients in pair)
        gaps.append(float((h - g).norm() / g.norm()))
        sizes.append(float(h.abs().sum() / g.abs().sum()))
    D, of_rounded = (_D_grad(model, gradients) for gradients in (wide, rounded))
    return DtypeError(len(drawn), max(gaps), max(abs(size - 1) for size in sizes), of_rounded - D)


def _D_grad(model: Any, gradients: list[dict[str, Any]]) -> float:
    parameters = in_D_grad(trainable(model))
    net, mass = {}, {}
    for name in (parameter.name for parameter in parameters):
        g = torch.stack([of_token[name].double() for of_token in gradients])
        net[name], mass[name] = g.sum(0), g.abs().sum(0)
    return opposition(GradientSums(net, mass), parameters).D_grad
