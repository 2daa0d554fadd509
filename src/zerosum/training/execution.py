"""How the forward and backward pass of a model are computed: activation checkpointing and compilation. Names of weights
stay as they are."""

from types import MethodType
from typing import Any

import torch

from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.sharding import decoder_layers


def set_execution(model: Any, recipe: Recipe) -> None:
    """Recompute activations in the backward pass, and compile the decoder layers, where the recipe says so.

    Recomputing repeats dropout with the same random numbers, so that nothing changes but memory and time. Compiled
    layers round differently and draw other dropout masks. Raises InputError where the model cannot do it.
    """
    if recipe.activation_checkpointing:
        try:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        except ValueError as error:
            raise InputError(
                f"activation_checkpointing: models of the family {recipe.model.family} cannot do it. Set it to false."
            ) from error
    if recipe.compile:
        layers = decoder_layers(model)
        if not layers:
            raise InputError(f"compile: no layers are known of the family {recipe.model.family}. Set it to false.")
        for layer in layers:
            # Each layer and not the model: hooks around layers (sharding, callbacks) stay outside of compiled code.
            layer.forward = MethodType(torch.compile(type(layer).forward), layer)
