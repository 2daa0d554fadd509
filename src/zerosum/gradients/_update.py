"""The update u: checked, taken from two models, and added to a model for a moment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from zerosum.errors import InputError
from zerosum.gradients.parameters import trainable
from zerosum.losses.batch_size import is_out_of_memory

LEAST = 1e-30  # of an update: what its products with gradients need to be more than 0 in float32


def checked_update(model: Any, update: Mapping[str, Any]) -> dict[str, Any]:
    """u by the names that `trainable` uses, on the device of the model and in its precision.

    update: u by any name that a parameter has. Raises InputError for a name that no trainable parameter has, another
    shape, numbers that are not finite, and two different updates of one shared parameter.
    """
    parameters = {id(parameter.tensor): parameter for parameter in trainable(model)}
    every = model.named_parameters(remove_duplicate=False)
    names = {name: parameters.get(id(tensor)) for name, tensor in every}
    checked: dict[str, Any] = {}
    largest = 0.0
    if not isinstance(update, Mapping):
        raise InputError(f"update: a {type(update).__name__}. Give u by parameter name, or the model after the update.")
    for name, value in update.items():
        parameter = names.get(name)
        if parameter is None:
            raise InputError(f"update {name!r}: no trainable parameter of this model. Use the names of its parameters.")
        try:
            u = torch.as_tensor(value).detach().to(parameter.tensor)
        except (TypeError, ValueError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise
            raise InputError(f"update {name!r}: a {type(value).__name__}. Give its numbers as an array.") from None
        if u.shape != parameter.tensor.shape:
            raise InputError(
                f"update {name!r}: shape {tuple(u.shape)}, but the parameter's is {tuple(parameter.tensor.shape)}. "
                "Give updates of this very model."
            )
        if not bool(torch.isfinite(u).all()):
            raise InputError(f"update {name!r}: not finite. Did the step diverge? Give another one.")
        largest = max(largest, float(u.abs().max())) if u.numel() else largest
        before = checked.setdefault(parameter.name, u)
        if before is not u and not torch.equal(before, u):
            raise InputError(f"update {name!r}: shared with {parameter.name}, whose update differs. Give one of them.")
    if 0 < largest < LEAST:
        raise InputError(f"update: its largest number is {largest:.1g}, lost in float32. Give a longer step.")
    return checked


def update_between(before: Any, after: Any) -> dict[str, Any]:
    """The update from one model to another: after - before of each trainable parameter, by name.

    Raises InputError where they are not models of one shape.
    """
    theirs = dict(after.named_parameters())
    ours = {parameter.name: parameter.tensor for parameter in trainable(before)}
    every = {name for name, _ in before.named_parameters()}
    if missing := sorted(every ^ set(theirs)):
        raise InputError(f"two models: only one of them has the parameter {missing[0]}. Give checkpoints of one run.")
    for name, tensor in ours.items():
        if tensor.shape != theirs[name].shape:
            shapes = f"{tuple(tensor.shape)} and {tuple(theirs[name].shape)}"
            raise InputError(f"two models: {name} is of shapes {shapes}. Give checkpoints of one run.")
    return {name: theirs[name].detach().to(tensor) - tensor.detach() for name, tensor in ours.items()}


@contextmanager
def moved(model: Any, update: Mapping[str, Any]) -> Iterator[None]:
    """The model with the update added inside the block, bit by bit as it was after it."""
    moving = [parameter for parameter in trainable(model) if parameter.name in update]
    before = [parameter.tensor.detach().clone() for parameter in moving]
    try:
        with torch.no_grad():
            for parameter in moving:
                parameter.tensor.add_(update[parameter.name])
        yield
    finally:
        with torch.no_grad():
            for parameter, value in zip(moving, before, strict=True):
                parameter.tensor.copy_(value)
