"""A pretended GPU: torch computes on the CPU, but tensors know where they would be, and mixing them is an error.

Inside `pretended_gpu()`, tensors that code moves to "cuda" or makes there are marked, and `.device` and `.is_cuda` say
so. An operation of marked and other tensors raises as CUDA does, except where CUDA allows it: copies, indices, tensors
without axes. Tensors whose origin is hidden, such as gradients between operations of autograd, fit both.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
MOVING = (Tensor.to, Tensor.cuda, Tensor.cpu)
INDEXING = (Tensor.__getitem__, Tensor.__setitem__)
TO_NUMPY = (Tensor.numpy, Tensor.__array__)
ANYWHERE = (*MOVING, *INDEXING, Tensor.copy_, torch._has_compatible_shallow_copy_type)
# They make tensors of numbers and arrays: on the CPU where no device is given.
MAKING = (
    torch.empty, torch.zeros, torch.ones, torch.full, torch.arange, torch.eye, torch.randn, torch.rand, torch.randint,
    torch.tensor, torch.as_tensor, torch.from_numpy, torch.linspace,
)  # fmt: skip
MODULE = {
    "is_available": True, "is_bf16_supported": True, "device_count": 1, "current_device": 0, "set_device": None,
    "get_device_name": "no GPU", "synchronize": None, "empty_cache": None, "reset_peak_memory_stats": None,
    "mem_get_info": (64 << 30, 80 << 30), "memory_reserved": 0, "memory_allocated": 0, "max_memory_allocated": 0,
    "get_rng_state": torch.zeros(16, dtype=torch.uint8), "set_rng_state": None,
}  # fmt: skip
"""What functions of `torch.cuda` return."""


@contextmanager
def pretended_gpu() -> Iterator[None]:
    functions = {name: lambda *_, value=value, **__: value for name, value in MODULE.items()}
    with mock.patch.multiple(torch.cuda, **functions), PretendedGpu():
        yield


def place(tensor: Tensor) -> Any:
    """Where a tensor is pretended to be; None where its origin is hidden."""
    return getattr(tensor, "_pretended_device", None)


def marked(result: Any, device: Any) -> Any:
    """The result of an operation, each tensor in it marked as on the device."""
    for tensor in tree_flatten(result)[0] if device is not None else ():
        if isinstance(tensor, Tensor):
            tensor._pretended_device = device  # type: ignore[attr-defined]
    return result


class PretendedGpu(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
        here = (place(tensors[0]) if tensors else None) or CPU
        if function == Tensor.device.__get__:
            return here
        if function == Tensor.is_cuda.__get__:
            return here.type == "cuda"
        if function == Tensor.grad.__get__:
            return marked(function(*args), place(tensors[0]))
        if function == Tensor.data.__set__:
            marked(args[0], place(args[1]))
            return function(*args)
        if function is torch._C._nn._parse_to:  # reads arguments for modules, which then move each tensor
            return function(*args, **kwargs)
        if function in TO_NUMPY and here.type == "cuda":
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
        wanted, args, kwargs = on_cpu(function, args, kwargs)
        result = function(*args, **kwargs)
        if function in MOVING:
            target = CPU if function is Tensor.cpu else wanted or here
            return marked(result.clone() if target != here and result is tensors[0] else result, target)
        if wanted is not None or function in MAKING:
            return marked(result, wanted or here)
        return marked(result, common_place(function, tensors))


def on_cpu(function: Any, args: Any, kwargs: Any) -> tuple[Any, Any, Any]:
    """The device that a call names, or None, and its arguments with the CPU in place of it."""
    given = [*(args[1:2] if function is Tensor.to else ()), kwargs.get("device"), kwargs.get("other")]
    named = [place(value) if isinstance(value, Tensor) else value for value in given]
    devices = [torch.device(value) for value in named if isinstance(value, str | torch.device)]

    def moved(value: Any) -> Any:
        return CPU if isinstance(value, torch.device) or (isinstance(value, str) and value in named) else value

    wanted = None if not devices else CUDA if devices[0].type == "cuda" else CPU
    return wanted, *tree_map(moved, (args, kwargs))


def common_place(function: Any, tensors: list[Tensor]) -> Any:
    """Where the result of an operation is. Raises where tensors are in two places."""
    places = {place(tensor) for tensor in tensors if tensor.ndim} - {None}
    if function in INDEXING:
        return place(tensors[0])
    if len(places) > 1 and function not in ANYWHERE:
        shapes = [(tuple(tensor.shape), str(place(tensor))) for tensor in tensors]
        raise RuntimeError(f"Expected all tensors to be on the same device: {function} of {shapes}")
    places = places or {place(tensor) for tensor in tensors} - {None}
    return CUDA if CUDA in places else CPU if places else None
