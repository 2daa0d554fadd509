"""What keeps a measurement from touching training: everything it could change is put back, also after an error."""

import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DataParallel, DistributedDataParallel


def plain_model(model: Any) -> Any:
    """The model inside the wrappers of torch.compile and of data-parallel training; its weights are the same."""
    while True:
        if isinstance(model, DistributedDataParallel | DataParallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            return model


@contextmanager
def left_as_it_was(model: Any, optimizers: Sequence[Any] = ()) -> Iterator[None]:
    """Inside the block the model may be measured; it has the weights that the optimizers evaluate.

    Afterwards these are as before: weights, buffers, modes and attributes of every module, random generators of Python,
    NumPy and torch. Autocast is off inside, also where accelerate puts it around `forward`: losses are computed in the
    precision of the weights, as of a checkpoint.
    """
    device = device_of(model)
    with ExitStack() as stack:
        stack.enter_context(_generators(device))
        if isinstance(model, nn.Module):
            stack.enter_context(_modules(model))
            if (own_forward := vars(model).get("_original_forward")) is not None:  # of a model that accelerate prepared
                model.forward = own_forward
            stack.enter_context(_parts(model))
        stack.enter_context(_eager())
        for optimizer in optimizers:
            stack.enter_context(_evaluation_weights(optimizer))
        stack.enter_context(torch.autocast(device.type, enabled=False))
        yield


def device_of(model: Any) -> torch.device:
    """The device of the first parameter; the CPU without one."""
    parameter = next(iter(model.parameters()), None) if hasattr(model, "parameters") else None
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def _generators(device: torch.device) -> Iterator[None]:
    # Other code draws from NumPy's global generator.
    plain, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        # Devices are listed because fork_rng would initialize every GPU of the machine.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(plain)
        np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def _modules(model: nn.Module) -> Iterator[None]:
    """Restore attributes and buffers of every module: modes, and caches that a forward pass writes."""
    attributes = [(module, dict(vars(module)), dict(module._buffers)) for module in model.modules()]
    buffers = [(buffer, buffer._version, buffer.detach().clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for module, before, own in attributes:
            _restore(vars(module), before)
            _restore(module._buffers, own)
        with torch.no_grad():
            for buffer, version, value in buffers:
                if buffer._version != version:
                    buffer.copy_(value)


@contextmanager
def _eager() -> Iterator[None]:
    """Compiled functions run as they are written. A pass in evaluation mode would be compiled, too, and torch compiles
    only so many kinds of calls: then it would stop to compile those of training.
    """
    if "torch._dynamo" in sys.modules:  # else nothing is compiled, and the import takes a second
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield


@contextmanager
def _parts(model: nn.Module) -> Iterator[None]:
    """Where processes share the weights, each holds only its parts again: else the whole ones that a pass leaves behind
    are used once more after an update.
    """
    shared = [module for module in model.modules() if isinstance(module, FSDPModule)]
    try:
        yield
    except Exception:
        for module in shared:
            if hasattr(module, "reset_iter_state"):  # since torch 2.13
                with suppress(RuntimeError):  # raised by all but the outermost module
                    module.reset_iter_state()
        raise
    finally:
        for module in shared:
            module.reshard()


def _restore(now: dict[str, Any], before: dict[str, Any]) -> None:
    for name in now.keys() - before.keys():
        del now[name]
    for name, value in before.items():
        if name not in now or now[name] is not value:
            now[name] = value


def switches_weights(optimizer: Any) -> bool:
    """Whether an optimizer evaluates at other weights than it trains at, as schedule-free ones do."""
    optimizer = _plain_optimizer(optimizer)
    return all(callable(getattr(optimizer, method, None)) for method in ("eval", "train"))


@contextmanager
def _evaluation_weights(optimizer: Any) -> Iterator[None]:
    """The weights that the optimizer evaluates, where these are others than it trains at: it changes by `eval`.

    The change is made to copies, so that no rounding is left behind; parts of shared weights are copied back, because
    their passes read the memory that training uses.
    """
    if not switches_weights(optimizer):
        yield
        return
    optimizer = _plain_optimizer(optimizer)
    groups = [(group, dict(group)) for group in optimizer.param_groups]
    weights = [parameter for group, _ in groups for parameter in group["params"]]
    own = [(weight, weight.data) for weight in weights if not isinstance(weight, DTensor)]
    parts = [weight.to_local().detach() for weight in weights if isinstance(weight, DTensor)]
    copies = [part.clone() for part in parts]
    try:
        for weight, data in own:
            weight.data = data.clone()
        optimizer.eval()
        yield
    finally:
        for weight, data in own:
            weight.data = data
        for part, copy in zip(parts, copies, strict=True):
            part.copy_(copy)
        for group, before in groups:
            _restore(group, before)


def _plain_optimizer(optimizer: Any) -> Any:
    """The optimizer inside accelerate's wrapper, which has `eval` and `train` for every optimizer."""
    while isinstance(inner := getattr(optimizer, "optimizer", None), torch.optim.Optimizer):
        optimizer = inner
    return optimizer
