"""How layers are computed: activation checkpointing and compilation. Names of weights stay as they are."""

from collections.abc import Callable
from functools import wraps
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.sharding import decoder_layers


def set_execution(model: nn.Module, recipe: Recipe) -> None:
    """Recompute activations in the backward pass, and compile the decoder layers, where the recipe says so.

    Recomputing repeats dropout with the same random numbers: it changes memory and time, and no result. Compiled layers
    round differently and draw other dropout masks. Raises InputError where no layers are known.
    """
    settings = [name for name in ("activation_checkpointing", "compile") if getattr(recipe, name)]
    layers = decoder_layers(model) if settings else []
    if settings and not layers:
        raise InputError(
            f"{settings[0]}: the layers of the family {recipe.model.family} are not known. Set it to false."
        )
    for layer in layers:
        # Only `forward` is replaced: hooks around a layer (sharding, callbacks) stay outside of compiled code.
        forward: Callable[..., Any] = type(layer).forward
        if recipe.compile:
            forward = torch.compile(forward)
        if recipe.activation_checkpointing:
            forward = _recomputed(forward)
        layer.forward = MethodType(forward, layer)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward pass of a layer, which keeps its inputs and computes the rest again for the backward pass."""

    @wraps(forward)
    def recomputed(layer: nn.Module, *arguments: Any, **options: Any) -> Any:
        if layer.training and torch.is_grad_enabled():
            return checkpoint(forward, layer, *arguments, use_reentrant=False, **options)
        return forward(layer, *arguments, **options)

    return recomputed
