"""The mean of the weights of several checkpoints, written as a checkpoint of the same kind, one tensor at a time."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from zerosum.atomic import new_folder
from zerosum.checkpoints._kind import CONSTANTS
from zerosum.checkpoints._run import Checkpoint
from zerosum.checkpoints.average_folders import FACTS, copy_settings, read_facts
from zerosum.checkpoints.average_form import Averaged
from zerosum.checkpoints.configurations import other_configurations
from zerosum.checkpoints.one_model import require_one_model
from zerosum.checkpoints.weights import inside
from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch

_REMEDY = "Average checkpoints of one run."
_DTYPES = {"torch.float64": "F64", "torch.float32": "F32", "torch.int64": "I64", "torch.int32": "I32"} | {
    "torch.uint8": "U8",
    "torch.bool": "BOOL",
}


def write_mean(folder: Path, checkpoints: Sequence[Checkpoint], averaged: Averaged) -> None:
    """Write the mean of the weights of checkpoints, all or nothing; a folder of the same mean is left as it is.

    Sums are made in float64, the mean is float32 (float64 where the files are). Whole numbers and constants are those
    of the last checkpoint. In memory are a few tensors at a time; the files are memory-mapped.
    """
    facts = averaged.to_json() | {"files": [_stamps(checkpoint) for checkpoint in checkpoints]}
    if read_facts(folder) == facts:
        return
    sources = [checkpoint.weights().tensors() for checkpoint in checkpoints]
    _require_same_tensors(checkpoints, sources)
    with new_folder(folder) as part:
        copy_settings(checkpoints[-1].path, part)
        with (part / "model.safetensors").open("wb") as file:
            _write_safetensors(file, sources)
        (part / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def require_averageable(checkpoints: Sequence[Checkpoint]) -> None:
    """Raise InputError where checkpoints are not folders of one model with one tokenizer."""
    for checkpoint in checkpoints:
        if not checkpoint.path.is_dir():
            raise InputError(
                f"{checkpoint.name}: one file with weights and settings, and averages are made of folders. Save the "
                "checkpoints as Hugging Face folders first (save_pretrained)."
            )
    require_one_model(checkpoints)
    paths = {checkpoint.step: checkpoint.path for checkpoint in checkpoints}
    for problem in other_configurations(paths):
        raise InputError(f"{paths[problem.steps[0]]}: cannot be averaged: {problem.message}")
    tokenizers = {_tokenizer(checkpoint.path): checkpoint for checkpoint in checkpoints}
    tokenizers.pop("", None)
    if len(tokenizers) > 1:
        first, other = list(tokenizers.values())[:2]
        raise InputError(f"{other.name}: another tokenizer than {first.name}: models of different tokens. {_REMEDY}")


def _tokenizer(folder: Path) -> str:
    """Hash of its file; "" where there is none."""
    file = folder / "tokenizer.json"
    return hashlib.sha256(inside(folder, file.name).read_bytes()).hexdigest() if file.is_file() else ""


def _stamps(checkpoint: Checkpoint) -> list[Any]:
    """Name, size and time of the weight files of a checkpoint."""
    files = checkpoint.weights().files
    return [checkpoint.step, *([file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files)]


def _require_same_tensors(checkpoints: Sequence[Checkpoint], sources: Sequence[Mapping[str, Any]]) -> None:
    shapes = [{name: list(tensor.shape) for name, tensor in tensors.items()} for tensors in sources]
    for checkpoint, own in zip(checkpoints, shapes, strict=True):
        differing = sorted(name for name in own.keys() | shapes[0].keys() if own.get(name) != shapes[0].get(name))
        if differing:
            raise InputError(
                f"{checkpoint.name}: {differing[0][:80]!a} is not there or of another shape than in "
                f"{checkpoints[0].name}. {_REMEDY}"
            )


def _write_safetensors(file: BinaryIO, sources: Sequence[Mapping[str, Any]]) -> None:
    """Write the mean of each tensor. Source: the format description of safetensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in sources[-1].items():
        dtype = _dtype(sources, name)
        begin, end = end, end + tensor.numel() * dtype.itemsize
        header[name] = {"dtype": _DTYPES[str(dtype)], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)
    for tensor in _means(sources):
        file.write(tensor.contiguous().reshape(-1).numpy().data)


def _dtype(sources: Sequence[Mapping[str, Any]], name: str) -> "torch.dtype":
    import torch

    dtypes = {tensors[name].dtype for tensors in sources}
    if not _is_averaged(name, sources[-1][name]):
        dtype: torch.dtype = sources[-1][name].dtype
        return torch.float32 if dtype.is_floating_point and dtype != torch.float64 else dtype
    return torch.float64 if torch.float64 in dtypes else torch.float32


def _is_averaged(name: str, tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating_point) and not name.endswith(CONSTANTS)


def _means(sources: Sequence[Mapping[str, Any]]) -> "Iterator[torch.Tensor]":
    import torch

    for name, last in sources[-1].items():
        if not _is_averaged(name, last):
            yield last.to(_dtype(sources, name))
            continue
        total = torch.zeros(last.shape, dtype=torch.float64)
        for tensors in sources:
            total += tensors[name]
        yield (total / len(sources)).to(_dtype(sources, name))
