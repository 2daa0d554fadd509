"""Files of weights: found inside their folder only, hashed by content, never executed."""

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

LARGEST_HEADER = 100_000_000  # bytes; what the safetensors library itself accepts
PLAIN = 1_000_000  # bytes of a file that are looked at to tell whether it is a plain pickle
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch began its files before version 1.6
_OBJECT = re.compile(r"GLOBAL ([\w.]{1,80})", re.ASCII)  # what torch refuses to unpickle, in its words
_NAMES_OF_TORCH = {
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


def _all_of_it(content: Any) -> dict[str, Any]:
    return dict(content) if isinstance(content, dict) else {}


@dataclass(frozen=True)
class Weights:
    """Where the weights are. select: what a pickled file holds -> its tensors by name (not its optimizer's state)."""

    files: tuple[Path, ...]
    select: Callable[[Any], dict[str, Any]] = _all_of_it

    def hash(self) -> str:
        """SHA-256 of the tensors, in hexadecimal: of their types, shapes and bytes, not of names or of the file.

        The same weights hash alike in safetensors, sharded or not, and in a pickled file, also where a tied matrix is
        written once in one and twice in the other: each different tensor counts once, whatever its name. Remembered
        as long as no file changes its size or time.
        """
        stamps = []
        for file in self.files:
            try:
                found = file.stat()
            except OSError as error:
                raise InputError(f"{file}: cannot be read ({error.strerror}). Copy it again.") from error
            stamps.append((file, found.st_size, found.st_mtime_ns))
        return _hash(tuple(stamps), self.select)

    def shapes(self) -> list[list[int]]:
        """Of every tensor; a tied matrix as often as it is written."""
        return [shape for file in self.files for shape in _shapes(file, self.select).values()]

    def named_shapes(self) -> dict[str, list[int]]:
        """Of every tensor by name."""
        return {name: shape for file in self.files for name, shape in _shapes(file, self.select).items()}

    def first_broken(self) -> str | None:
        """The name of a tensor that holds NaN or infinite numbers; None where all are finite."""
        return next((name for name, tensor in self.tensors().items() if not tensor.isfinite().all()), None)

    def tensors(self) -> dict[str, Any]:
        """Every tensor by name, on the CPU and mapped from the file where its format allows that."""
        found: dict[str, Any] = {}
        for file in self.files:
            if file.suffix == ".safetensors":
                found |= _load_safetensors(file)
            else:
                found |= tensors_only(self.select(load_pickled(file)))
        return found


def inside(folder: Path, name: str) -> Path:
    """The file `name` of a folder, wherever the name comes from.

    Raises InputError where it is not a plain path inside the folder, or a link that leads out of it. The links of the
    hub's cache, from a snapshot to the blobs beside it, are inside.
    """
    home = folder.resolve()
    homes = [home]
    if home.parent.name == "snapshots" and home.parent.parent.name.startswith("models--"):
        homes.append(home.parent.parent / "blobs")
    path = folder / name
    plain = bool(name) and not Path(name).is_absolute() and ".." not in Path(name).parts and "\\" not in name
    if not plain or not any(path.resolve().is_relative_to(place) for place in homes):
        raise InputError(
            f"{folder}: its weights are said to be in {name!a}, which leads out of the folder and is not followed. "
            "Copy the files themselves into the folder."
        )
    return path


def load_pickled(file: Path) -> Any:
    """What a `.pt`, `.bin` or `.ckpt` file holds: tensors, numbers and words. No code in it is run.

    Raises InputError where the file holds other objects or is damaged.
    """
    torch = _torch()
    try:
        with warnings.catch_warnings(action="ignore"):  # of what it is about to refuse
            return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # torch raises what a damaged archive happens to lead to
        if found := _OBJECT.search(str(error)):
            raise InputError(
                f"{file}: not loaded: beside tensors it holds {found[1]}, and a pickle that could run code is never "
                "executed. Save the weights as safetensors with the program that wrote them."
            ) from error
        if _is_plain_pickle(file):
            raise InputError(
                f"{file}: not loaded: a plain pickle, not a file of torch, and a pickle that could run code is never "
                "executed. Save the weights as safetensors with the program that wrote them."
            ) from error
        raise InputError(
            f"{file}: damaged or truncated, or not a file of torch ({type(error).__name__}). Copy it again."
        ) from error


def _is_plain_pickle(file: Path) -> bool:
    """Whether it is a whole pickle, as any Python program writes one; nothing is unpickled."""
    try:
        with file.open("rb") as handle:
            content = handle.read(PLAIN)
            return not content.startswith(_LEGACY) and any(code.name == "STOP" for code, _, _ in genops(content))
    except Exception:  # noqa: BLE001 - pickletools raises whatever damaged bytes happen to lead to
        return False


def holds(file: Path, *words: bytes) -> bool:
    """Whether all words stand in the pickle of a torch file; nothing is unpickled. False for anything else."""
    try:
        with zipfile.ZipFile(file) as archive:
            pickles = [info for info in archive.infolist() if info.filename.endswith("data.pkl")]
            if len(pickles) != 1 or pickles[0].file_size > LARGEST_HEADER:
                return False
            content = archive.read(pickles[0])
    except Exception:  # noqa: BLE001 - zipfile raises whatever a damaged archive happens to lead to
        return False
    return all(word in content for word in words)


def tensors_only(named: dict[str, Any]) -> dict[str, Any]:
    """Those entries that are tensors, by name."""
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
    except Exception as error:  # the library raises its own kind, and others for a type that torch lacks
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
        content = _of_safetensors(file) if file.suffix == ".safetensors" else _of_pickled(file, select)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # hashing runs outside the interpreter's lock
            digests |= set(pool.map(_digest, content))
    if not digests:
        raise InputError(f"{stamps[0][0]}: holds no weights. Copy it again.")
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _digest(tensor: tuple[str, list[int], Any]) -> bytes:
    kind, shape, content = tensor
    digest = hashlib.sha256(json.dumps([kind, shape]).encode())
    digest.update(content)
    return digest.digest()


def _of_safetensors(file: Path) -> Iterator[tuple[str, list[int], memoryview]]:
    """Type, shape and bytes of each tensor, mapped, so that no more than is being hashed is in memory."""
    header, start = read_header(file)
    if not header:
        return
    with file.open("rb") as handle:
        content = memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))
    for entry in header.values():
        begin, end = entry["data_offsets"]
        yield entry["dtype"], entry["shape"], content[start + begin : start + end]


def _of_pickled(file: Path, select: Callable[[Any], dict[str, Any]]) -> Iterator[tuple[str, list[int], Any]]:
    torch = _torch()
    for tensor in tensors_only(select(load_pickled(file))).values():
        kind = str(tensor.dtype).removeprefix("torch.")
        content = tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy()
        yield _NAMES_OF_TORCH.get(kind, kind), list(tensor.shape), content


def read_header(file: Path) -> tuple[dict[str, Any], int]:
    """The table of tensors of a safetensors file, and where their bytes begin.

    Raises InputError where the file is truncated or something else. Source: the format's description in safetensors.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            length = struct.unpack("<Q", handle.read(8))[0] if size >= 8 else size
            if length > min(LARGEST_HEADER, size - 8):
                raise InputError(f"{file}: truncated, or not a safetensors file ({size:,} bytes). Copy it again.")
            header = json.loads(handle.read(length))
        header.pop("__metadata__", None)
        ends = [_end(entry) for entry in header.values()]
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}). Copy it again.") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: not a safetensors file, or damaged. Copy it again.") from error
    start, need = 8 + length, 8 + length + max(ends, default=0)
    if size < need:
        raise InputError(f"{file}: truncated: {size:,} of {need:,} bytes are there. Copy it again.")
    return header, start


def _end(entry: dict[str, Any]) -> int:
    begin, end = entry["data_offsets"]
    sizes = [begin, end, *entry["shape"]]
    if not isinstance(entry["dtype"], str) or any(type(size) is not int or size < 0 for size in sizes) or begin > end:
        raise ValueError("not an entry of a safetensors file")
    return int(end)
