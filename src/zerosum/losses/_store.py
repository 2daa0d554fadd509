"""The labelled store of per-token losses: an xarray Dataset in a zarr folder."""

import warnings
from pathlib import Path

import xarray as xr
from zarr.storage import LocalStore

from zerosum.errors import InputError

STORE = "losses.zarr"


def open_store(path: str | Path) -> xr.Dataset:
    """A store of per-token losses as a plain xarray Dataset, read lazily.

    loss: float32 nats, [checkpoint, sequence, position], NaN at padding and where it is not measured yet.
    Coordinates: step, tokens_seen [checkpoint]; token [sequence, position], the predicted id, and first_token
    [sequence], the one before it, -1 at padding; document and, where there are domains, domain, [sequence] or
    [sequence, position], as numbers of attrs["documents"] and attrs["domains"].
    attrs: weight_sha256 and noise_floor_of_checkpoint, one for each checkpoint; noise_floor, the largest of these: mean
    |difference| in nats of the same tokens in batches composed in another way, or, where dtype is not float32, in
    float32, whichever is larger; tokens: how the sequences were made;
    problems: [{code, steps, message}]; complete: whether everything is measured; unit, dtype, model, tokenizer,
    tokenizer_path, hashes, versions.
    Where a step was measured too, also loss_after_step, and batch_loss and batch_loss_after_step over batch_sequence.
    Raises InputError where `path` is not such a store.
    """
    try:
        # Not the path itself, in which zarr would see more than a path: a leading ~, or a::b.
        place = LocalStore(Path(path), read_only=True)
        with warnings.catch_warnings():
            # While a process measures, there are files of half-written chunks.
            warnings.filterwarnings("ignore", "Object at .*partial is not recognized")
            store: xr.Dataset = xr.open_zarr(place, consolidated=False, chunks=None)
    except Exception as error:  # zarr raises whatever a damaged file happens to lead to
        cause = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a store of losses ({cause}). Give a folder called {STORE}.") from error
    if "loss" not in store:
        raise InputError(f"{path}: this store holds no per-token losses. Give a folder called {STORE}.")
    return store
