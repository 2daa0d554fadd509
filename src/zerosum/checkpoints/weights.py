"""Weight files: located only inside their folder, hashed by content, and never executed."""

import hashlib
import json
import mmap
import os
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pickletools import genops
from typing import Any

from zerosum.errors import InputError, MissingExtra

LARGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors library itself
PICKLE_PROBE = 1_000_000  # bytes of a file that are searched for the end of a plain pickle
_LEGACY_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # first bytes of torch files before version 1.6
_REFUSED_OBJECT = re.compile(r"GLOBAL ([\w.]{1,80})", re.ASCII)  # in torch's message about an object it refuses
_SAFETENSORS_DTYPE = {  # torch's name of a dtype -> the name in safetensors headers
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


def _all_entries(content: Any) -> dict[str, Any]:
    return dict(content) if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Weights:
    """The files that hold a model's weights.

    select: content of a pickled file -> the weights in it by name, without the optimizer's state.
    """

    files: tuple[Path, ...]
    select: Callable[[Any], dict[str, Any]] = _all_entries

    def hash(self) -> str:
        """SHA-256 of the tensors' types, shapes and bytes, in hexadecimal; names and file format do not matter.

        The same weights have the same hash in safetensors files, sharded or not, and in a pickled file, even where one
        holds a tied matrix once and the other twice: equal tensors count once, whatever their names. The hash is
        cached until the size or modification time of a file changes.
        """
        stamps = []
        for file in self.files:
            try:
                status = file.stat()
            except OSError as error:
                raise InputError(f"{file}: cannot be read ({error.strerror}). Copy it again.") from error
            stamps.append((file, status.st_size, status.st_mtime_ns))
        return _hash(tuple(stamps), self.select)

    def shapes(self) -> list[list[int]]:
        """Shape of every tensor in the files; a tied matrix counts as often as it is written."""
        return [shape for file in self.files for shape in _shapes(file, self.select).values()]

    def named_shapes(self) -> dict[str, list[int]]:
        """Name -> shape of every tensor in the files."""
        return {name: shape for file in self.files for name, shape in _shapes(file, self.select).items()}

    def first_broken(self) -> str | None:
        """Name of the first tensor that holds NaN or infinite numbers; None where all tensors are finite."""
        return next((name for name, tensor in self.tensors().items() if not tensor.isfinite().all()), None)

    def tensors(self) -> dict[str, Any]:
        """Name -> tensor, on the CPU; memory-mapped from the file where its format allows that."""
        tensors: dict[str, Any] = {}
        for file in self.files:
            if file.suffix == ".safetensors":
                tensors |= _load_safetensors(file)
            else:
                tensors |= tensors_only(self.select(load_pickled(file)))
        return tensors


def inside(folder: Path, name: str) -> Path:
    """Path of the file `name` in a folder; the name may come from an untrusted file.

    Raises InputError where the name is not a plain path inside the folder, or is a link that leads out of it. Links in
    the hub's cache, from a snapshot to the blobs beside it, count as inside.
    """
    resolved = folder.resolve()
    allowed = [resolved]
    if resolved.parent.name == "snapshots" and resolved.parent.parent.name.startswith("models--"):
        allowed.append(resolved.parent.parent / "blobs")
    path = folder / name
    plain = bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts and "\\" not in name
    if not plain or not any(path.resolve().is_relative_to(place) for place in allowed):
        raise InputError(
            f"{folder}: it refers to the file {name!a}, which leads out of the folder and is not followed. "
            "Copy the file itself into the folder."
        )
    return path


def load_pickled(file: Path) -> Any:
    """Load a `.pt`, `.bin` or `.ckpt` file of tensors, numbers and strings. No code in it is run.

    Raises InputError where the file holds other objects or is damaged.
    """
    torch = _torch()
    try:
        with warnings.catch_warnings(action="ignore"):  # torch warns of a pickle and then refuses it
            return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # a damaged archive can lead to an error of almost any type
        if refused := _REFUSED_OBJECT.search(str(error)):
            raise InputError(
                f"{file}: not loaded: besides tensors it holds {refused[1]}, and a pickle that could run code is never "
                "executed. Save the weights as safetensors with the program that wrote them."
            ) from error
        if _is_plain_pickle(file):
            raise InputError(
                f"{file}: not loaded: a plain pickle, not a torch file, and a pickle that could run code is never "
                "executed. Save the weights as safetensors with the program that wrote them."
            ) from error
        raise InputError(
            f"{file}: damaged or truncated, or not a torch file ({type(error).__name__}). Copy it again."
        ) from error


def _is_plain_pickle(file: Path) -> bool:
    """Whether the file is a complete pickle that was not written by torch; nothing is unpickled."""
    try:
        with file.open("rb") as handle:
            content = handle.read(PICKLE_PROBE)
            return not content.startswith(_LEGACY_START) and any(code.name == "STOP" for code, _, _ in genops(content))
    except Exception:  # noqa: BLE001 - damaged bytes can make pickletools raise almost any error
        return False


def holds(file: Path, *words: bytes) -> bool:
    """Whether the pickle of a torch file contains all these words; nothing is unpickled. False for any other file."""
    try:
        with zipfile.ZipFile(file) as archive:
            pickles = [info for info in archive.infolist() if info.filename.endswith("data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > LARGEST_HEADER:
                return False
            content = archive.read(pickles[0])
    except Exception:  # noqa: BLE001 - a damaged archive can make zipfile raise almost any error
        return False
    return all(word in content for word in words)


def tensors_only(named: dict[str, Any]) -> dict[str, Any]:
    """The entries that are tensors, by name."""
    torch = _torch()
    return {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}


def _torch() -> Any:
    try:
        import torch
    except ImportError as missing:
        raise MissingExtra("torch", "lm") from missing
    return torch


def _load_safetensors(file: Path) -> dict[str, Any]:
    _torch()
    from safetensors.torch import load_file

    read_header(file)
    try:
        loaded: dict[str, Any] = load_file(file)
    except Exception as error:  # errors of the library itself, and others for dtypes that torch lacks
        raise InputError(f"{file}: damaged ({type(error).__name__}). Copy it again.") from error
    return loaded


def _shapes(file: Path, select: Callable[[Any], dict[str, Any]]) -> dict[str, list[int]]:
    if file.suffix == ".safetensors":
        return {name: entry["shape"] for name, entry in read_header(file)[0].items()}
    return {name: list(tensor.shape) for name, tensor in tensors_only(select(load_pickled(file))).items()}


@lru_cache(maxsize=4096)
def _hash(stamps: tuple[tuple[Path, int, int], ...], select: Callable[[Any], dict[str, Any]]) -> str:
    digests: set[bytes] = set()
    for file, _, _ in stamps:
        contents = _safetensors_contents(file) if file.suffix == ".safetensors" else _pickled_contents(file, select)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # hashing releases the interpreter's lock
            digests |= set(pool.map(_digest, contents))
    if not digests:
        raise InputError(f"{stamps[0][0]}: holds no weights. Copy it again.")
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _digest(tensor: tuple[str, list[int], Any]) -> bytes:
    dtype, shape, content = tensor
    digest = hashlib.sha256(json.dumps([dtype, shape]).encode())
    digest.update(content)
    return digest.digest()


def _safetensors_contents(file: Path) -> Iterator[tuple[str, list[int], memoryview]]:
    """dtype, shape and bytes of each tensor, memory-mapped, so that only what is being hashed is in memory."""
    header, start = read_header(file)
    if not header:
        return
    with file.open("rb") as handle:
        content = memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
    for entry in header.values():
        begin, end = entry["data_offsets"]
        yield entry["dtype"], entry["shape"], content[start + begin : start + end]


def _pickled_contents(file: Path, select: Callable[[Any], dict[str, Any]]) -> Iterator[tuple[str, list[int], Any]]:
    """dtype, shape and bytes of each tensor."""
    torch = _torch()
    for tensor in tensors_only(select(load_pickled(file))).values():
        dtype = str(tensor.dtype).removeprefix("torch.")
        content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
        yield _SAFETENSORS_DTYPE.get(dtype, dtype), list(tensor.shape), content


def read_header(file: Path) -> tuple[dict[str, Any], int]:
    """Header of a safetensors file (name -> dtype, shape, data_offsets), and the position of its first data byte.

    Raises InputError where the file is truncated or not a safetensors file. Source: the format description of
    safetensors.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            length = struct.unpack("<Q", handle.read(8))[0] if size >= 8 else size
            if length > min(LARGEST_HEADER, size - 8):
                raise InputError(f"{file}: truncated, or not a safetensors file ({size:,} bytes). Copy it again.")
            header = json.loads(handle.read(length))
        header.pop("__metadata__", None)
        ends = [_end_offset(entry) for entry in header.values()]
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}). Copy it again.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not a safetensors file, or damaged. Copy it again.") from error
    start, expected_size = 8 + length, 8 + length + max(ends, default=0)
    if size < expected_size:
        raise InputError(f"{file}: truncated: {size:,} of {expected_size:,} bytes are there. Copy it again.")
    return header, start


def _end_offset(entry: dict[str, Any]) -> int:
    """End of a tensor's bytes, counted from the first data byte. Raises ValueError for a malformed header entry."""
    begin, end = entry["data_offsets"]
    sizes = [begin, end, *entry["shape"]]
    if not isinstance(entry["dtype"], str) or any(type(size) is not int or size < 0 for size in sizes) or begin > end:
        raise ValueError("not an entry of a safetensors file")
    return int(end)
