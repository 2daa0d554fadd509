"""Partial results on disk: each process keeps the sum of the batches it has measured in one file.

The sums are as large as the model, so a file for each batch would be too much. A file is whole at any moment and names
its sequences; the files of all processes together are the measurement when they hold every sequence.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from zerosum.atomic import new_file
from zerosum.gradients._sampled import SampledMass
from zerosum.gradients._sequence_sums import SequenceSums
from zerosum.gradients._share import Share
from zerosum.sharing import Job, Results

_OF_THEIR_OWN = {"sample": SampledMass, "sequences": SequenceSums}  # fields of a share that are dataclasses


class SavedSums(Results[Share]):
    """Results of a gradient measurement. batches: name of each piece -> the numbers of its sequences."""

    def __init__(self, job: Job, batches: Mapping[str, Int64[np.ndarray, " _"]]):
        self._job = job
        self._batches = batches
        self._own_file = _new_name(job)
        self._own: Share | None = None
        self._is_saved = True

    def finished(self) -> set[str]:
        """Batches whose sequences are all in a file that counts."""
        return self._batches_of(saved_sequences(self._job))

    def own(self) -> set[str]:
        """Batches that this process has measured."""
        return set() if self._own is None else self._batches_of(set(self._own.rows.tolist()))

    def add(self, piece: str, result: Share) -> None:
        """Add a batch to the sum of this process."""
        self._own = result if self._own is None else self._own.add(result)
        self._is_saved = False

    def save(self) -> None:
        """Write the sum of this process, unless another process has closed the job."""
        if self._own is None or self._is_saved:
            return
        try:
            write_sum(self._own_file, self._own)
        except (OSError, SafetensorError):
            if self._job.is_open:
                raise
        self._is_saved = True

    def start_over(self) -> None:
        """Delete the sum of this process."""
        self._own_file.unlink(missing_ok=True)
        self._own_file = _new_name(self._job)
        self._own = None
        self._is_saved = True

    def _batches_of(self, sequences: set[int]) -> set[str]:
        return {name for name, rows in self._batches.items() if sequences.issuperset(rows.tolist())}


def named(batches: Sequence[Int64[np.ndarray, " _"]]) -> dict[str, Int64[np.ndarray, " _"]]:
    """Name of each piece -> the numbers of its sequences, in order."""
    return {f"batch-{number}": rows for number, rows in enumerate(batches)}


def saved_sequences(job: Job) -> set[int]:
    """Numbers of the sequences that are in a file that counts."""
    return {row for _, rows in _files(job) for row in rows}


def total(job: Job) -> Share | None:
    """The sum of all files; None where there is none, or the job has just been closed."""
    try:
        parts = (_read_sum(file) for file, _ in _files(job))  # one at a time: each is as large as the model
        first = next(parts, None)
        return None if first is None else reduce(Share.add, parts, first)
    except (OSError, SafetensorError):
        return None


def write_sum(file: Path, share: Share) -> None:
    """Write a partial result, whole or not at all."""
    arrays: dict[str, Any] = {}
    fields = {name: vars(value) if name in _OF_THEIR_OWN and value else value for name, value in vars(share).items()}
    tree = take_out_arrays(fields, arrays)
    tensors = {name: torch.as_tensor(array).detach().cpu().contiguous().clone() for name, array in arrays.items()}
    metadata = {"tree": json.dumps(tree), "rows": json.dumps(share.rows.tolist())}
    with new_file(file) as part:
        save_file(tensors, part, metadata=metadata)


def take_out_arrays(tree: Any, arrays: dict[str, Any]) -> Any:
    """The tree as JSON, with a reference in place of each array or tensor, which goes into `arrays`.

    tree: dicts, lists, numbers and strings, as JSON has them, and arrays and tensors. Undone by `put_in_arrays`.
    """
    if isinstance(tree, Mapping):
        return {"dict": [[name, take_out_arrays(value, arrays)] for name, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"list": [take_out_arrays(value, arrays) for value in tree]}
    if isinstance(tree, int | float | str | None):
        return {"plain": tree}
    arrays[str(len(arrays))] = tree
    return {"array": str(len(arrays) - 1), "numpy": isinstance(tree, np.ndarray)}


def put_in_arrays(tree: Any, arrays: Mapping[str, Any]) -> Any:
    """The tree that `take_out_arrays` was given."""
    if "dict" in tree:
        return {name: put_in_arrays(value, arrays) for name, value in tree["dict"]}
    if "list" in tree:
        return [put_in_arrays(value, arrays) for value in tree["list"]]
    if "plain" in tree:
        return tree["plain"]
    array = arrays[tree["array"]]
    return array.numpy() if tree["numpy"] else array


def _new_name(job: Job) -> Path:
    return job.folder / f"{uuid.uuid4().hex}.safetensors"


def _files(job: Job) -> Iterator[tuple[Path, list[int]]]:
    """Files that count, and their sequences. A file that repeats a sequence of another does not count."""
    seen: set[int] = set()
    for file in sorted(job.folder.glob("*.safetensors")):
        try:
            with safe_open(file, "pt") as opened:
                rows = json.loads(opened.metadata()["rows"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            continue  # damaged, or removed at this moment: its sequences are measured again
        if seen.isdisjoint(rows):
            seen.update(rows)
            yield file, rows


def _read_sum(file: Path) -> Share:
    with safe_open(file, "pt") as opened:
        tree = json.loads(opened.metadata()["tree"])
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    fields = put_in_arrays(tree, arrays)
    fields |= {name: kind(**fields[name]) for name, kind in _OF_THEIR_OWN.items() if fields[name] is not None}
    return Share(**fields)
