"""The labelled store of gradient measurements: a zarr folder with a group for each checkpoint, written whole.

Needs no torch. Letters: C checkpoints, S sequences, T positions, P parameters.
"""

import json
import re
from collections.abc import Collection, Iterator
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from jaxtyping import Int32
from zarr.storage import LocalStore

from zerosum.atomic import new_folder, write_text
from zerosum.errors import InputError
from zerosum.gradients.parameters import layer_of
from zerosum.tokens import PADDING

if TYPE_CHECKING:
    from zerosum.gradients._result import GradientInterference
    from zerosum.tokens import TokenSequences

STORE = "gradients.zarr"
MEANINGS = {
    "loss": ("loss before the update", "nats"),
    "loss_change": ("real loss change by the update", "nats"),
    "first_order": ("first-order loss change, sum_j g_ij u_j", "nats"),
    "norm_l1": ("sum_j |g_ij|", "nats per unit of the parameters"),
    "norm_l2": ("square root of sum_j g_ij²", "nats per unit of the parameters"),
    "moved": ("sum_j |g_ij u_j|", "nats"),
    "numel": ("coordinates", "1"),
    "touched": ("coordinates that any token has a gradient in beyond rounding", "1"),
    "D_grad": ("share of gradient that cancels between tokens, mean over touched coordinates", "1"),
    "C_g": ("how much tokens agree, coordinate by coordinate", "1"),
    "C_ug": ("how much the coordinates of a token agree", "1"),
    "C_uG": ("how much coordinates agree once tokens are added", "1"),
    "step": ("optimizer updates before the checkpoint", "1"),
    "tokens_seen": ("training tokens before the checkpoint", "1"),
    "token": ("predicted id, -1 at padding", "1"),
    "unit": ("number of the document or sequence that intervals resample, -1 at padding", "1"),
}
OF_PARAMETER = ("numel", "touched", "D_grad", "C_g", "C_ug", "C_uG")
_GROUP = re.compile(r"step-(\d+)", re.ASCII)
_WHAT = {"what": "per-token gradient opposition by step"}
_ROOT = {"zarr_format": 3, "node_type": "group", "attributes": _WHAT}


def open_gradients(path: str | Path, steps: Collection[int] | None = None) -> xr.Dataset:
    """A store of gradient measurements as one xarray Dataset. steps: of the checkpoints that are wanted; None: all.

    loss, loss_change, first_order (nats), norm_l1 = sum_j |g_ij|, norm_l2, moved = sum_j |p_ij|: [checkpoint, sequence,
    position], NaN at padding and where it was not measured. numel, touched, D_grad, C_g, C_ug, C_uG: [checkpoint,
    parameter]. Coordinates: step, tokens_seen; token, the predicted id, and unit, the number of the document or
    sequence that intervals resample, both -1 at padding; parameter, with kind and layer. Each says what it is and in
    which unit in its attrs.
    attrs: documents, one for each checkpoint as `zerosum gradients --json` prints it; data_sha256, of the tokens.

    Raises InputError where `path` is not such a store, or its checkpoints are of different tokens or models.
    """
    path = Path(path)
    found = [_open(group) for step, group in sorted(_groups(path)) if steps is None or step in steps]
    if not found:
        which = "" if steps is None else f" of steps {', '.join(map(str, sorted(steps)))}"
        raise InputError(f"{path}: no store of gradient measurements{which}. Give a folder called {STORE}.")
    first = found[0]
    for one in found[1:]:
        for what, same in (
            ("tokens", one.attrs["data_sha256"] == first.attrs["data_sha256"]),
            ("models", np.array_equal(one["parameter"].to_numpy(), first["parameter"].to_numpy())),
        ):
            if not same:
                both = f"{first['step'].item()} and {one['step'].item()}"
                raise InputError(f"{path}: steps {both} are of different {what}. Measure each into its own store.")
    whole = xr.concat(found, "checkpoint", data_vars="all", coords="minimal", compat="override", join="override")
    documents = [one.attrs["document"] for one in found]
    whole.attrs = {"documents": documents, "data_sha256": first.attrs["data_sha256"], "unit": "nats"}
    return whole


def write(
    path: Path,
    found: "GradientInterference",
    tokens: "TokenSequences",
    document: dict[str, Any],
    how: dict[str, Any],
) -> None:
    """Put one checkpoint into the store at `path`; what was there of its step is replaced when this is whole.

    document: what users are told, with `step` and `tokens_seen`. how: what decides it.
    Raises InputError where the store holds checkpoints measured on other tokens.
    """
    require_same_tokens(path, tokens.sha256)
    path.mkdir(parents=True, exist_ok=True)
    if not (path / "zarr.json").is_file():
        write_text(path / "zarr.json", json.dumps(_ROOT))
    with new_folder(path / f"step-{document['step']}") as part:
        _dataset(found, tokens, document, how).to_zarr(LocalStore(part), mode="w", consolidated=False)


def measured(path: Path, step: int, how: dict[str, Any]) -> dict[str, Any] | None:
    """The document of a step, if it was measured in this very way; None where it has to be measured."""
    attrs = _attrs(path / f"step-{step}")
    document = attrs.get("document") if attrs.get("how") == how else None
    return document if isinstance(document, dict) else None


def require_store(path: Path) -> None:
    """Raises InputError where `path` holds anything but such a store, or cannot be the name of one."""
    other = f"Give a folder of its own, such as {STORE}."
    if path.name in ("", ".."):
        raise InputError(f"--store {str(path)!r}: not the name of a folder that could be made. {other}")
    try:
        if not path.exists():
            return
        empty = {one.name for one in path.iterdir()} <= {"zarr.json.part"}
    except OSError as error:
        raise InputError(f"--store {path}: cannot be read ({error.strerror}). {other}") from error
    if not empty and _attrs(path) != _WHAT:
        raise InputError(f"--store {path}: holds something else. {other} This one was not touched.")


def require_same_tokens(path: Path, data_sha256: str) -> None:
    """Raises InputError where the store holds anything measured on other tokens."""
    for _, group in _groups(path):
        if _attrs(group).get("data_sha256", data_sha256) != data_sha256:
            raise InputError(
                f"{path}: made with other tokens (DATA, tokenizer or options). Choose another --store; this one was "
                "not touched."
            )


def _groups(path: Path) -> Iterator[tuple[int, Path]]:
    for group in path.glob("step-*"):
        if (named := _GROUP.fullmatch(group.name)) and (group / "zarr.json").is_file():
            yield int(named[1]), group


def _attrs(group: Path) -> dict[str, Any]:
    """Attributes of a group; none where it is not there or damaged."""
    try:
        found = json.loads((group / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _open(group: Path) -> xr.Dataset:
    try:
        opened: xr.Dataset = xr.open_zarr(LocalStore(group, read_only=True), consolidated=False, chunks=None)
        opened["loss"], opened["step"], opened.attrs["data_sha256"]
        parameters = opened.attrs["document"]["parameters"]
        names, kinds = ([one[which] for one in parameters] for which in ("name", "kind"))
        of: dict[str, Any] = {"kind": ("parameter", kinds), "layer": ("parameter", list(map(layer_of, names)))}
        own = {name: ("checkpoint", [opened[name].item()]) for name in ("step", "tokens_seen")}
        opened = opened.expand_dims("checkpoint").assign_coords({"parameter": names} | of | own)
    except Exception as error:  # zarr raises whatever a damaged file happens to lead to
        cause = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{group}: damaged ({cause}). Remove this folder and measure again.") from error
    return opened


# Names of parameters stand in the document alone: no type of zarr's holds words in a way that is settled.
def _dataset(
    found: "GradientInterference", tokens: "TokenSequences", document: dict[str, Any], how: dict[str, Any]
) -> xr.Dataset:
    place = ("sequence", "position")
    values: dict[str, Any] = {
        name: (place, one.astype(np.float32) if name == "loss" else one) for name, one in found.per_token.items()
    }
    for name in OF_PARAMETER:
        numbers = [nan if one[name] is None else float(one[name]) for one in document["parameters"]]
        values[name] = ("parameter", np.array(numbers))
    seen = document["tokens_seen"]
    coordinates = {
        "step": ((), np.int64(document["step"])),
        "tokens_seen": ((), nan if seen is None else float(seen)),
        "token": (place, tokens.ids[:, 1:].astype(np.int32)),
        "unit": (place, _units(tokens, document.get("units", "sequence"))),
    }
    attrs = {"document": document, "how": how, "data_sha256": tokens.sha256, "unit": "nats"}
    whole = xr.Dataset(values, coordinates, attrs)
    for name, (meaning, unit) in MEANINGS.items():
        if name in whole:
            whole[name].attrs |= {"long_name": meaning, "units": unit}
    return whole


def _units(tokens: "TokenSequences", units: str) -> Int32[np.ndarray, "S T"]:
    """What is resampled: the number of each predicted token's document or sequence, -1 at padding."""
    of = tokens.document if units == "document" else np.arange(len(tokens.ids))
    of = of[:, None] if of.ndim == 1 else of
    return np.where(tokens.predicted, of, PADDING).astype(np.int32)
