"""NumPy's `.npy` and `.npz`: an array of losses, of records, or named arrays. Pickles are never executed."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._format import Choose, Columns, Format
from zerosum.curves._note import Note
from zerosum.curves._table import Cells
from zerosum.curves.columns import matching
from zerosum.curves.json_shapes import refuse_no_losses
from zerosum.curves.series import read_series
from zerosum.errors import InputError

MOST_BYTES = 1 << 30  # of an unpacked array; a loss curve is smaller


def _matches(head: bytes, name: str) -> bool:
    return head.startswith(b"\x93NUMPY") or (head.startswith(b"PK\x03\x04") and b".npy" in head[:300])


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    try:
        arrays = _arrays(path, choose)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - numpy and zipfile raise a dozen kinds, Python's tokenizer's too
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"{path}: not a NumPy file that can be read ({cause}). Was it cut off?") from None
    lengths = {name: len(values) for name, values in arrays.items()}
    loss = choose.overrides.get("loss") or next(iter(matching("loss", list(arrays))), None)
    n = lengths.get(loss or "", max(lengths.values(), default=0))
    if n == 0:
        raise InputError(f"{path}: no array of numbers in it. Give an array of losses, or named arrays with one.")
    steps = choose.overrides.get("step") or next(iter(matching("step", list(arrays))), None)
    if lengths.get(steps or "", n) != n:
        raise InputError(f"{path}: {lengths[str(steps)]} of {steps!r} but {n} of {loss!r}. Which loss has which step?")
    axes, chosen = read_series(_Arrays({name: a for name, a in arrays.items() if len(a) == n}), choose)
    notes = [Note("entries-ignored", f"arrays of another length left out: {_listed(lengths, n)}")]
    return Columns(axes, chosen, tuple(notes if set(lengths.values()) != {n} else ()), "numpy")


def _listed(lengths: Mapping[str, int], n: int) -> str:
    return ", ".join(f"{name[:60]!r} {k}" for name, k in lengths.items() if k != n)[:200]


def _arrays(path: Path, choose: Choose) -> dict[str, np.ndarray]:
    """The columns of numbers of a file. An array alone is the losses, or, with two dimensions, columns by place."""
    with path.open("rb") as file:
        is_one_array = file.read(1) == b"\x93"
    if not is_one_array:
        with zipfile.ZipFile(path) as archive:
            large = [entry.filename for entry in archive.infolist() if entry.file_size > MOST_BYTES]
        if large:
            raise InputError(
                f"{path}: {large[0][:60]!r} in it has over 1 GiB. Write the losses into a file of their own."
            )
        with np.load(path, allow_pickle=False) as arrays:
            return {name: array for name in arrays.files if _is_column(array := arrays[name])}
    # A mapped file cannot be shorter than its header says.
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.nbytes > MOST_BYTES:
        raise InputError(f"{path}: an array of over 1 GiB. Write the losses into a file of their own.")
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names if _is_column(array[name])}
    if array.ndim == 2:
        return {f"column {k + 1}": column for k, column in enumerate(array.T[:100]) if _is_column(column)}
    if not _is_column(array):
        return {}
    refuse_no_losses(array.tolist(), choose)
    return {"loss": array}


def _is_column(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.ndim == 1 and array.dtype.kind in "fiu" and len(array) > 0


@dataclass(frozen=True)
class _Arrays:
    """Named arrays of one length as a table."""

    arrays: Mapping[str, np.ndarray]
    names: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", list(self.arrays))

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        return self.arrays[name].astype(np.float64)

    def cells(self, name: str) -> Cells:
        return np.asarray(self.arrays[name])


FORMAT = Format(name="NumPy array", named=("*.npy", "*.npz"), matches=_matches, read=_read, rank=1)
