"""The resume state of a checkpoint: what a run needs beside the weights to continue exactly.

training_state.pt   step, random generators of every process, state of the optimizer
optimizer/          where several processes share the weights: their parts of the optimizer's tensors

The parts are written by torch's distributed checkpointing as safetensors, a file for each process, and any number of
processes reads them. Its usual format is not used: its list of tensors is a pickle, which runs code when it is read.
"""

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.tensor import DTensor

from zerosum.checkpoints.weights import inside
from zerosum.training.sharding import part_like

RESUME_FILE = "training_state.pt"
PARTS = "optimizer"


def write_resume_state(
    folder: Path, step: int, optimizer: dict[str, Any], generators: dict[str, Tensor], *, is_main: bool
) -> None:
    """Write the state of the optimizer and what belongs to it; every process calls it, with its parts of the tensors.

    optimizer: a `state_dict` of torch. generators: states of the random generators, [process, byte].
    """
    parts = {
        f"{number}.{key}": value
        for number, values in optimizer["state"].items()
        for key, value in values.items()
        if isinstance(value, DTensor)
    }
    if parts:
        with _one_error():
            writer = HuggingFaceStorageWriter(str(folder / PARTS), save_distributed=True)
            save(parts, storage_writer=writer)
    if not is_main:
        return
    state = {
        number: {key: value for key, value in values.items() if not isinstance(value, DTensor)}
        for number, values in optimizer["state"].items()
    }
    saved = {"step": step, "optimizer": {**optimizer, "state": state}, "generators": generators}
    if parts:
        saved["parts"] = {name: list(part.shape) for name, part in parts.items()}
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    (folder / RESUME_FILE).write_bytes(buffer.getvalue())


def read_resume_file(file: Path) -> dict[str, Any]:
    """The saved values "step", "optimizer" and "generators", without tensors in parts; ValueError where damaged."""
    try:
        # weights_only: a checkpoint from elsewhere must not run code.
        saved: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damage can make torch raise any error
        raise ValueError(f"{file.name}: damaged") from error
    if not (isinstance(saved, dict) and isinstance(saved.get("step"), int)):
        raise ValueError(f"{file.name}: no training state")
    return saved


def optimizer_state(
    folder: Path, saved: dict[str, Any], parameters: Sequence[Tensor] = (), *, processes: int = 1
) -> dict[str, Any]:
    """The `state_dict` of the optimizer, with the tensors that were saved in parts.

    saved: content of the resume file. parameters: in the order of the optimizer's groups; where `processes` share them,
    each process gets its parts of the optimizer's tensors, and all of them call this. Without parameters: whole.
    Raises ValueError, RuntimeError, SafetensorError or OSError where the state is damaged or of another model.
    """
    try:
        optimizer: dict[str, Any] = saved["optimizer"]
        states = {number: dict(values) for number, values in optimizer["state"].items()}
        for name, tensor in _read_parts(folder, saved.get("parts", {}), parameters, processes).items():
            number, _, key = name.partition(".")
            states.setdefault(int(number), {})[key] = tensor
        for place, parameter in enumerate(parameters):
            for key, value in states.get(place, {}).items():
                if isinstance(value, Tensor):
                    states[place][key] = part_like(value, parameter)
    except (AttributeError, LookupError, TypeError) as error:
        raise ValueError("not the state of an optimizer") from error
    return {**optimizer, "state": states}


def _read_parts(
    folder: Path, shapes: dict[str, list[int]], parameters: Sequence[Tensor], processes: int
) -> dict[str, Tensor]:
    """The tensors that were saved in parts: for each process its part, or whole where the parameters are whole."""
    if not shapes:
        return {}
    for file in (folder / PARTS).iterdir():
        inside(folder, f"{PARTS}/{file.name}")
    tensors = {}
    with _one_error():
        reader = HuggingFaceStorageReader(str(folder / PARTS))
        stored = reader.read_metadata().state_dict_metadata
        for name, shape in shapes.items():
            tensor = stored[name]
            if not isinstance(tensor, TensorStorageMetadata) or not _is_complete(tensor, torch.Size(shape)):
                raise ValueError(f"{PARTS}: a part of {name} is missing")
            dtype, number = tensor.properties.dtype, int(name.partition(".")[0])
            if parameters and parameters[number].shape != torch.Size(shape):
                raise ValueError(f"{PARTS}: {name} is of another model")
            like = parameters[number].detach() if parameters else torch.zeros(shape)
            tensors[name] = torch.zeros_like(like, dtype=dtype)
        with warnings.catch_warnings(action="ignore"):  # that one process reads alone is meant
            load(tensors, storage_reader=reader, no_dist=processes == 1)
    return tensors


def _is_complete(stored: TensorStorageMetadata, shape: torch.Size) -> bool:
    """Whether the stored parts make up the whole tensor: torch leaves what is missing as it was, without a word."""
    return stored.size == shape and sum(math.prod(chunk.sizes) for chunk in stored.chunks) == math.prod(shape)


@contextmanager
def _one_error() -> Iterator[None]:
    """torch's distributed checkpointing raises a collection of errors: raise the first of them as it was."""
    try:
        yield
    except CheckpointException as errors:
        first = next(iter(errors.failures.values()))
        raise OSError(str(first[0]) if isinstance(first, tuple) else str(first)) from errors
