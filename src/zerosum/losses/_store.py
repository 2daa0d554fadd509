"""The labelled store of per-token losses: an xarray Dataset in a zarr folder."""

import re
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import xarray as xr

from zerosum.checked_store import CheckedStore, no_checksums, open_checked
from zerosum.errors import Damaged, InputError
from zerosum.losses._piece import Pieces
from zerosum.losses.quantities import RESERVED

STORE = "losses.zarr"
_COORDINATES = "step|tokens_seen|token|first_token|document|domain"
_MEASURED = re.compile(rf"(?!({_COORDINATES})/)\w+/c/")


def open_store(path: str | Path) -> xr.Dataset:
    """A store of per-token losses as a plain xarray Dataset, read lazily.

    loss: float32 nats, [checkpoint, sequence, position], NaN at padding and where it is not measured yet.
    Coordinates: step, tokens_seen [checkpoint]; token [sequence, position], the predicted id, and first_token
    [sequence], the one before it, -1 at padding; document and, where there are domains, domain, [sequence] or
    [sequence, position], as numbers of attrs["documents"] and attrs["domains"].
    attrs: weight_sha256 and noise_floor_of_checkpoint, one for each checkpoint; noise_floor, the largest of these: mean
    |difference| in nats of the same tokens in batches composed in another way, or, where dtype is not float32, in
    float32, whichever is larger; tokens: how the sequences were made;
    problems: [{code, steps, message}], among them `no-checksums` for a store of format 1; complete: whether everything
    is measured; format: of the store; unit, dtype, model, tokenizer, tokenizer_path, hashes, versions.
    Quantities that were measured beside the loss have a variable each, like `loss`, with attrs units and long_name.
    Where a step was measured too, also loss_after_step, and batch_loss and batch_loss_after_step over batch_sequence.
    Raises InputError where `path` is not such a store, and, when values are read, where a file of it is missing or has
    changed since it was written.
    """
    store = open_damaged(path)
    if _is_of_format_1(store.attrs) and store.attrs.get("complete") is True:
        _require_chunks(Path(path), store)
    return store


def open_damaged(path: str | Path) -> xr.Dataset:
    """As `open_store`, also where losses are missing that a complete store of format 1 should have."""
    folder = Path(path)
    try:
        # Not the path itself, in which zarr would see more than a path: a leading ~, or a::b.
        checked = CheckedStore(folder, damaged)
        with warnings.catch_warnings():
            # While a process measures, there are files of half-written chunks.
            warnings.filterwarnings("ignore", "Object at .*partial is not recognized")
            store = open_checked(checked)
        if store.attrs.get("complete") is False:
            checked.expect(Pieces(folder).digests(store["step"].values.tolist()))
    except InputError:
        raise
    except Exception as error:  # zarr raises whatever a damaged file happens to lead to
        cause = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a store of losses ({cause}). Give a folder called {STORE}.") from error
    if "loss" not in store:
        raise InputError(f"{path}: this store holds no per-token losses. Give a folder called {STORE}.")
    if _is_of_format_1(store.attrs):
        note = no_checksums("Start the same zerosum losses command again: it adds them.")
        store.attrs["problems"] = [*store.attrs.get("problems", ()), note]
    return store


def measured_quantities(store: xr.Dataset) -> tuple[str, ...]:
    """Names of the quantities that a store holds beside losses, sorted."""
    return tuple(sorted(str(name) for name in store.data_vars if name not in RESERVED))


def damaged(folder: Path, what: str) -> Damaged:
    """The error for a file of a store that is missing or has changed. what: as "loss/c/0/0/0 is missing"."""
    measures = "these losses" if _MEASURED.match(what) else "all losses"
    return Damaged(folder, what, f"Start the same zerosum losses command again: it measures {measures} anew.")


def _require_chunks(folder: Path, store: xr.Dataset) -> None:
    """Raises Damaged where a chunk is missing, which zarr would read as NaN: format 1 has no list of its files."""
    for name, variable in store.data_vars.items():
        chunks = zip(variable.shape, variable.encoding["chunks"], strict=True)
        for index in product(*(range(-(-size // chunk)) for size, chunk in chunks)):
            file = f"{name}/c/{'/'.join(map(str, index))}"
            if not (folder / file).is_file():
                raise damaged(folder, f"{file} is missing")


def _is_of_format_1(attrs: dict[str, Any]) -> bool:
    """Whether zerosum wrote the store before it wrote checksums; a store made by others is of no format."""
    return "format" not in attrs and "versions" in attrs
