"""The files of a store of losses: created whole, written one chunk at a time, extended by copying.

Letters: C checkpoints, S sequences, T positions, s sequences of a training batch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Float
from zarr.storage import LocalStore

from zerosum.atomic import new_folder
from zerosum.checked_store import FORMAT, METADATA, CheckedStore, seal, sha256_of, write_attributes
from zerosum.losses._piece import Piece, Pieces
from zerosum.losses._store import damaged
from zerosum.losses.quantities import quantities
from zerosum.tokens import TokenSequences

BLOCK = 32_768  # predicted tokens of a chunk, where sequences are not longer

AROUND = ("loss_after_step", "batch_loss", "batch_loss_after_step")
"""Variables of a store in which a step was measured too."""

Arrays = Mapping[str, Float[np.ndarray, "_ _"]]


@dataclass(frozen=True)
class Entry:
    """One checkpoint of a store: its step, and the weights that its losses belong to.

    averaged: what these are the mean of, as `Averaged.to_json`; None for the weights of the step themselves.
    """

    step: int
    weight_sha256: str
    tokens_seen: int | None
    averaged: dict[str, Any] | None = None


@dataclass(frozen=True)
class Layout:
    """The shape of a store.

    entries: sorted by step, no step twice. batch: (s, T) of the training batch that is measured too, if any.
    also: names of the quantities measured beside the loss, sorted. attrs: how the store is made, for the record.
    """

    entries: tuple[Entry, ...]
    tokens: TokenSequences
    batch: tuple[int, int] | None = None
    also: tuple[str, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> list[int]:
        """Steps of the checkpoints, in order."""
        return [entry.step for entry in self.entries]

    @cached_property
    def block(self) -> int:
        """Number of sequences in a chunk."""
        n_sequences, length = map(int, self.tokens.ids.shape)
        return n_sequences if self.batch else min(n_sequences, max(1, BLOCK // (length - 1)))

    @property
    def pieces(self) -> list[Piece]:
        """All pieces, checkpoint after checkpoint."""
        n_blocks = -(-len(self.tokens.ids) // self.block)
        return [Piece(step, block) for step in self.steps for block in range(n_blocks)]

    @property
    def variables(self) -> dict[str, tuple[str, int, int]]:
        """Name of a variable -> dimension of its rows, number of rows, length of a row."""
        n_sequences, length = self.tokens.ids.shape
        shapes = dict.fromkeys(("loss", *self.also), ("sequence", n_sequences, length - 1))
        if self.batch:
            shapes[AROUND[0]] = shapes["loss"]
            shapes |= dict.fromkeys(AROUND[1:], ("batch_sequence", *self.batch))
        return shapes

    def rows(self, piece: Piece) -> slice:
        """The sequences of a piece."""
        return slice(piece.block * self.block, min((piece.block + 1) * self.block, len(self.tokens.ids)))


def create(path: Path, layout: Layout) -> None:
    """Create a store without losses; an older store at `path` is replaced when the new one is whole."""
    with new_folder(path) as part:
        _fill(part, layout)
        seal(part)


def extend(path: Path, old: Layout, layout: Layout, pieces: Pieces) -> None:
    """Add checkpoints to the store at `path`, with all pieces that are done."""
    with new_folder(path) as part:
        _fill(part, layout)
        checked = opened(path, old, pieces)
        for piece in old.pieces:
            if pieces.is_done(piece):
                write(part, layout, piece, read(checked, old, piece))
        seal(part)


def write(path: Path, layout: Layout, piece: Piece, arrays: Arrays) -> dict[str, str]:
    """Put a piece into the store, one chunk after the other: after a failure no thread still writes other chunks.

    Returns the sha256 of each variable's chunk.
    """
    group = zarr.open_group(LocalStore(path), mode="r+")
    index = layout.steps.index(piece.step)
    with zarr.config.set({"array.write_empty_chunks": True}):  # a chunk may be NaN everywhere
        for name, values in arrays.items():
            _array(group, name)[index, _chunk(layout, name, piece)] = values
    return {name: sha256_of(path / piece.chunk(name, index)) for name in arrays}


def opened(path: Path, layout: Layout, pieces: Pieces) -> CheckedStore:
    """The files of the store, to read pieces that are done. Raises InputError where its metadata are damaged."""
    checked = CheckedStore(path, damaged)
    checked.expect(pieces.digests(layout.steps))
    return checked


def read(checked: CheckedStore, layout: Layout, piece: Piece) -> dict[str, Float[np.ndarray, "_ _"]]:
    """The arrays of a piece. Raises whatever a damaged chunk leads to; Damaged where one is missing or has changed."""
    group = zarr.open_group(checked, mode="r")
    index = layout.steps.index(piece.step)
    arrays = {}
    for name in layout.variables:
        if not (checked.root / piece.chunk(name, index)).is_file():
            raise damaged(checked.root, f"{piece.chunk(name, index)} is missing")
        arrays[name] = np.asarray(_array(group, name)[index, _chunk(layout, name, piece)])
    return arrays


def record(checked: CheckedStore, layout: Layout, done: Iterable[Piece], attrs: Mapping[str, Any]) -> None:
    """Write these attributes of the store, and a manifest of everything but the pieces that are not done."""
    steps, chunks = layout.steps, tuple(f"{name}/c/" for name in layout.variables)
    files = {file for file in checked.files if file != METADATA and not file.startswith(chunks)}
    files |= {piece.chunk(name, steps.index(piece.step)) for piece in done for name in layout.variables}
    write_attributes(checked.root, attrs, {file: [checked.digest(file)] for file in files})


def with_entries(layout: Layout, entries: Mapping[int, Entry]) -> Layout:
    """The same layout with these checkpoints. entries: by step."""
    return replace(layout, entries=tuple(entries[step] for step in sorted(entries)))


def _array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    array = group[name]
    if not isinstance(array, zarr.Array):
        raise KeyError(name)
    return array


def _chunk(layout: Layout, name: str, piece: Piece) -> slice:
    return layout.rows(piece) if layout.variables[name][0] == "sequence" else slice(None)


def _fill(part: Path, layout: Layout) -> None:
    tokens, n_checkpoints = layout.tokens, len(layout.entries)
    place = "sequence" if tokens.document.ndim == 1 else ("sequence", "position")
    seen = [np.nan if entry.tokens_seen is None else float(entry.tokens_seen) for entry in layout.entries]
    coordinates: dict[str, Any] = {
        "step": ("checkpoint", np.array(layout.steps, dtype=np.int64)),
        "tokens_seen": ("checkpoint", seen),
        "token": (("sequence", "position"), tokens.ids[:, 1:].astype(np.int32)),
        "first_token": ("sequence", tokens.ids[:, 0].astype(np.int32)),
        "document": (place, tokens.document.astype(np.int32)),
    }
    if tokens.domain is not None:
        coordinates["domain"] = (place, tokens.domain)
    hashes = [entry.weight_sha256 for entry in layout.entries]
    attrs = layout.attrs | {"weight_sha256": hashes, "complete": False, "problems": [], "format": FORMAT}
    if any(entry.averaged for entry in layout.entries):
        attrs["averaged"] = [entry.averaged for entry in layout.entries]
    store = xr.Dataset(coords=coordinates, attrs=attrs)
    store.to_zarr(LocalStore(part), mode="w", consolidated=False)
    group = zarr.open_group(LocalStore(part), mode="r+")
    described = {quantity.name: quantity.attrs for quantity in quantities(layout.also)}
    for name, (rows, count, length) in layout.variables.items():
        group.create_array(
            name,
            shape=(n_checkpoints, count, length),
            chunks=(1, layout.block if rows == "sequence" else count, length),
            dtype="float32",
            fill_value=float("nan"),
            dimension_names=("checkpoint", rows, "position"),
            attributes=described.get(name, {}),
        )
