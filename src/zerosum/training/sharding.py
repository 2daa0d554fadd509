"""A model whose weights are shared by several processes: each holds a part (FSDP), and a layer is whole while it works.

`fully_shard` of torch is called here: accelerate and Trainer fall back to whole copies on a CPU, without a word.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import AutoModelForCausalLM


def shard(model: nn.Module, device: torch.device, processes: int) -> None:
    """Give each process its part of every decoder layer and of the rest of the model.

    All processes call it with equal weights. Their parameters become DTensors. Only these parts are in memory, except
    while a layer works: also the embeddings, which torch would leave whole after a forward pass.
    """
    mesh = init_device_mesh(device.type, (processes,))
    for layer in decoder_layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=True)


def decoder_layers(model: nn.Module) -> list[nn.Module]:
    """The layers of a model of transformers, in their order: those that the model says must stay in one piece.

    Some families also name modules inside of their layers (Mamba's mixers); these are left out.
    """
    names = set(getattr(model, "_no_split_modules", None) or ())
    layers: list[nn.Module] = []
    inside: set[nn.Module] = set()
    for module in model.modules():
        if type(module).__name__ in names and module not in inside:
            layers.append(module)
            inside.update(module.modules())
    return layers


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that processes share, in each of them: all processes call it. Any other tensor as it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_part(tensor: Tensor) -> Tensor:
    """The part of a shared tensor that this process holds. Any other tensor as it is."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def part_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """This process's part of a whole tensor, shared as a parameter of the same shape is; no process sends anything."""
    if isinstance(tensor, DTensor) or not isinstance(parameter, DTensor) or tensor.shape != parameter.shape:
        return tensor
    shared = distribute_tensor(
        tensor.to(parameter.device), parameter.device_mesh, parameter.placements, src_data_rank=None
    )
    return shared.clone()  # the part would keep the memory of the whole tensor


def whole_model(model: Any, is_main: bool) -> nn.Module | None:
    """A copy of a shared model, whole, on the CPU of the main process; None in the others. All processes call it.

    The others hold one whole parameter at a time.
    """
    parameters: dict[Tensor, Tensor] = {}
    weights = {}
    for name, value in model.state_dict(keep_vars=True).items():
        if value not in parameters:  # a tied matrix has two names
            gathered = whole(value.detach())
            parameters[value] = gathered.cpu() if is_main else torch.empty(0)
        weights[name] = parameters[value]
    if not is_main:
        return None
    with torch.device("meta"):
        copy: nn.Module = AutoModelForCausalLM.from_config(model.config)
    for name, parameter in model.named_parameters():
        copy.get_parameter(name).requires_grad_(parameter.requires_grad)
    copy.load_state_dict(weights, assign=True)
    for name, buffer in model.named_buffers():  # also those that are not saved
        module, _, own_name = name.rpartition(".")
        setattr(copy.get_submodule(module), own_name, buffer.detach().cpu().clone())
    copy.tie_weights()  # type: ignore[operator]
    return copy.train(model.training)


@contextmanager
def together(accelerator: Accelerator) -> Iterator[None]:
    """If the block fails in one process, it fails in all, which would otherwise wait for that process.

    Raises OSError in the processes in which the block itself did not fail.
    """
    try:
        yield
    except Exception:
        _any_failed(accelerator, True)
        raise
    if _any_failed(accelerator, False):
        raise OSError("another process could not write its part")


def _any_failed(accelerator: Accelerator, failed: bool) -> bool:
    flag = torch.tensor([failed], device=accelerator.device)
    return bool(accelerator.gather(flag).any()) if accelerator.num_processes > 1 else failed
