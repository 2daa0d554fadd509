"""Several processes that train one model: the main process measures, decides, tells and logs.

Where the processes share the weights (`fully_shard` of torch, whose parameters are DTensors), a forward pass needs all
of them. The main process then sends the token ids of each pass, and the end of them. The others take the same passes
and decide nothing, so that no process waits for a pass that another does not take.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import distributed
from torch.distributed.tensor import DTensor

from zerosum.errors import InputError

NO_PASS = np.empty((0, 0), dtype=np.int64)


def is_main() -> bool:
    """Whether this is the only process, or the first of them."""
    return not distributed.is_initialized() or distributed.get_rank() == 0


def shared_on(model: Any) -> torch.device | None:
    """The device on which processes share the weights of a model; None where each has whole ones.

    Raises InputError where they are shared in a way that cannot be measured.
    """
    parameters = model.parameters() if distributed.is_initialized() and hasattr(model, "parameters") else ()
    for parameter in parameters:
        if isinstance(parameter, DTensor):
            return torch.device(parameter.device_mesh.device_type)
        if getattr(parameter, "_fsdp_flattened", False) or hasattr(parameter, "ds_id"):
            raise InputError(
                "each process holds a flat part of the weights (FullyShardedDataParallel or DeepSpeed ZeRO-3). Share "
                "them with fully_shard: fsdp_version 2 in accelerate and Trainer."
            )
    return None


class Processes:
    """All processes of a training run, at scheduled steps."""

    def __init__(self) -> None:
        self._shared_on: torch.device | None = None

    @property
    def share_weights(self) -> bool:
        """Whether each pass needs all of them."""
        return self._shared_on is not None

    @contextmanager
    def together(self, model: Any, take: Callable[[Int64[np.ndarray, "s L"]], object]) -> Iterator[bool]:
        """Whether this is the main process. Inside the block, which the others enter, too, it may take passes.

        take: takes a pass over ids; called in the others for each pass that the main process sends.
        """
        self._shared_on = shared_on(model)
        if not is_main():
            while len(ids := self._received()):
                # The main process has the same error and tells it; its next message comes in any case.
                with suppress(Exception):
                    take(ids)
            yield False
            return
        try:
            yield True
        finally:
            self.send(NO_PASS)

    def send(self, ids: Int64[np.ndarray, "s L"]) -> None:
        """The main process: the others take this pass, too."""
        if self._shared_on is not None:
            distributed.broadcast(torch.tensor(ids.shape, device=self._shared_on), 0)
            if ids.size:
                distributed.broadcast(torch.tensor(ids, device=self._shared_on), 0)

    def _received(self) -> Int64[np.ndarray, "s L"]:
        """The ids of the next pass of the main process; none at the end."""
        if self._shared_on is None:
            return NO_PASS
        shape = torch.zeros(2, dtype=torch.int64, device=self._shared_on)
        distributed.broadcast(shape, 0)
        ids = torch.zeros(*shape.tolist(), dtype=torch.int64, device=self._shared_on)
        if ids.numel():
            distributed.broadcast(ids, 0)
        return ids.cpu().numpy()
