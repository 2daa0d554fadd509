"""The labelled store of per-token losses of one run: an xarray Dataset in a zarr folder.

Dims: checkpoint, sequence, position (held-out tokens) and batch_sequence (the training batch of the step). Losses are
float32, in nats. Coordinates: step, tokens_seen (checkpoint); document (sequence); token (sequence, position).
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int, Int64
from zarr.storage import LocalStore

from zerosum.atomic import new_folder
from zerosum.checkpoints import Checkpoint, Run, load_model
from zerosum.errors import InputError
from zerosum.losses._token_losses import token_losses

STORE = "losses.zarr"


@dataclass(frozen=True)
class HeldOut:
    """Tokens that no model of the suite is trained on; no position is predicted twice.

    tokens: [S sequences, L = T + 1] ids, T of them predicted. document_index: [S] which document each sequence is
    from, 0, 1, ...: the resampling unit. document: its name, for each sequence. sha256: of the tokens.
    """

    tokens: Int64[np.ndarray, "S L"]
    document_index: Int64[np.ndarray, " S"]
    document: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class StepLosses:
    """Losses around one real optimizer step: the training batch before and after it, held-out tokens after it."""

    batch_before: Float[np.ndarray, "s T"]
    batch_after: Float[np.ndarray, "s T"]
    held_out_after: Float[np.ndarray, "S T"]


OneStep = Callable[[Checkpoint, Int[np.ndarray, "S L"]], StepLosses]


def measure_losses(run: Run, held_out: HeldOut, one_step: OneStep, on_checkpoint: Callable[[int], None]) -> xr.Dataset:
    """Per-token losses at every checkpoint of a run, and around one optimizer step from each but step 0.

    The store appears under its name only when it is complete; a whole one that was made from the same weights and
    tokens is opened instead of measured again. on_checkpoint: called with each step that is done.
    """
    path = run.measured / STORE
    hashes = [checkpoint.weight_hash() for checkpoint in run.checkpoints]
    if _is_whole(path, run, held_out, hashes):
        return open_store(path)
    pieces = []
    for checkpoint in run.checkpoints:
        pieces.append(_measure_checkpoint(checkpoint, held_out, one_step))
        on_checkpoint(checkpoint.step)
    store = xr.concat(pieces, dim="checkpoint", join="exact").assign_coords(
        document=("sequence", held_out.document_index),
        token=(("sequence", "position"), held_out.tokens[:, 1:].astype(np.int32)),
    )
    store.attrs = _provenance(hashes, held_out)
    chunks = {name: {"chunks": (1, *store[name].shape[1:])} for name in store.data_vars}
    with new_folder(path) as part:
        store.to_zarr(LocalStore(part), mode="w", consolidated=False, encoding=chunks)
    return open_store(path)


def open_store(path: str | Path) -> xr.Dataset:
    """A store of per-token losses as a plain xarray Dataset, read lazily.

    Raises InputError where `path` is not such a store.
    """
    try:
        # Not the path itself, in which zarr would see more than a path: a leading ~, or a::b.
        place = LocalStore(Path(path), read_only=True)
        store: xr.Dataset = xr.open_zarr(place, consolidated=False, chunks=None)
    except Exception as error:  # zarr raises whatever a damaged file happens to lead to
        cause = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: not a store of losses ({cause}). Give a folder called {STORE}.") from error
    if "loss" not in store:
        raise InputError(f"{path}: this store holds no per-token losses. Give a folder called {STORE}.")
    return store


def _is_whole(path: Path, run: Run, held_out: HeldOut, hashes: list[str]) -> bool:
    """Whether the store is there and holds what measuring again would give, as far as reading all of it can tell."""
    if not path.is_dir():
        return False
    try:
        store = open_store(path).load()
        return (
            store.attrs["weight_sha256"] == hashes
            and store.attrs["data_sha256"] == held_out.sha256
            and np.array_equal(store["step"], [checkpoint.step for checkpoint in run.checkpoints])
            and np.array_equal(store["document"], held_out.document_index)
            and np.array_equal(store["token"], held_out.tokens[:, 1:])
            and _losses_are_whole(store, held_out)
        )
    except Exception:  # noqa: BLE001 - whatever the damage leads to, the losses can be measured again
        return False


def _losses_are_whole(store: xr.Dataset, held_out: HeldOut) -> bool:
    """Every loss is a number, but for those around the step that is not taken at step 0. A lost piece reads as NaN."""
    sequences, length = held_out.tokens.shape
    taken = np.asarray(store["step"]) > 0
    expected = {"loss": np.ones_like(taken)}
    if taken.any():
        expected |= dict.fromkeys(("loss_after_step", "batch_loss", "batch_loss_after_step"), taken)
    for name, measured in expected.items():
        part = store[name]
        rows = "batch_sequence" if name.startswith("batch") else "sequence"
        if part.dims != ("checkpoint", rows, "position") or part.shape[2] != length - 1:
            return False
        if rows == "sequence" and part.shape[1] != sequences:
            return False
        if not np.array_equal(np.isfinite(part.values), np.broadcast_to(measured[:, None, None], part.shape)):
            return False
    return True


def _measure_checkpoint(checkpoint: Checkpoint, held_out: HeldOut, one_step: OneStep) -> xr.Dataset:
    loss = token_losses(load_model(checkpoint), held_out.tokens)
    variables: dict[str, Any] = {"loss": (("sequence", "position"), loss)}
    if checkpoint.step > 0:
        around = one_step(checkpoint, held_out.tokens)
        variables["loss_after_step"] = (("sequence", "position"), around.held_out_after)
        variables["batch_loss"] = (("batch_sequence", "position"), around.batch_before)
        variables["batch_loss_after_step"] = (("batch_sequence", "position"), around.batch_after)
    tokens_seen = np.nan if checkpoint.tokens_seen is None else float(checkpoint.tokens_seen)
    return (
        xr.Dataset(variables)
        .expand_dims("checkpoint")
        .assign_coords(step=("checkpoint", [checkpoint.step]), tokens_seen=("checkpoint", [tokens_seen]))
    )


def _provenance(hashes: list[str], held_out: HeldOut) -> dict[str, Any]:
    return {
        "unit": "nats per token",
        "dtype": "float32",
        "weight_sha256": hashes,
        "data_sha256": held_out.sha256,
        "versions": {name: version(name) for name in ("zerosum", "torch", "transformers", "numpy")},
    }
