"""How many tokens are measured at a time: as memory allows, up to a number beyond which nothing gets faster."""

import math
import os
from pathlib import Path
from typing import Any

import torch

MOST = {"cpu": 8_192, "cuda": 65_536}  # tokens; more make nothing faster
LOGITS = {"cpu": 2**22, "cuda": 2**27}  # numbers of logits held at a time; on a CPU they should stay near its cache
WHOLE_LOGITS = 2**26  # the same for models whose logits come whole
_SHARE = 0.5  # of the free memory
_OUT_OF_MEMORY = ("not enough memory", "allocate memory", "STATUS_ALLOC_FAILED")  # CPU, CPU, libraries of CUDA
_UNKNOWN = 4 * 2**30  # bytes assumed free where the system does not say
_ACTIVATIONS = 16  # arrays of hidden and of intermediate size held for each token, generously


def tokens_that_fit(config: Any, device: torch.device, length: int) -> int:
    """Tokens per batch that half of the free memory holds: a power of two. config: of a transformers model, or None.

    Where memory is not scarce this is always the upper limit, so that batches do not differ between two calls.
    """
    hidden = _size(config, "hidden_size") or 1_024
    wide = _size(config, "intermediate_size") or 4 * hidden
    heads = (_size(config, "num_attention_heads") or 1) if _is_eager(config) else 0
    per_token = 4 * (_ACTIVATIONS * (hidden + wide) + 3 * heads * length)
    fit = max(1, int(_SHARE * free_memory(device)) // per_token)
    return min(1 << (fit.bit_length() - 1), MOST.get(device.type, MOST["cpu"]))


def free_memory(device: torch.device) -> int:
    """Bytes that are free on the device; on the CPU also what the container allows.

    On a GPU, memory that torch holds back for later tensors of this process is free, too.
    """
    if device.type == "cuda":
        held_back = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + held_back
    free = [_available(), _container()]
    return min((n_bytes for n_bytes in free if n_bytes is not None), default=_UNKNOWN)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is what torch raises where memory is short."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def _size(config: Any, name: str) -> int:
    """A size that a config states, the largest where it states one for each layer; 0 where it states none."""
    value = getattr(config, name, None)
    sizes = value if isinstance(value, list | tuple) else [value]
    return max((int(size) for size in sizes if isinstance(size, int | float) and 0 < size < math.inf), default=0)


def _is_eager(config: Any) -> bool:
    return getattr(config, "_attn_implementation", None) == "eager"


def _available() -> int | None:
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1_024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, AttributeError, OSError):
        return None


def _container() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return None if limit == "max" else max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return None
