"""The labelled store of gradient measurements: a zarr folder with a group for each checkpoint, written whole.

Needs no torch. Letters: C checkpoints, S sequences, T positions, P parameters.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float64, Int32
from zarr.storage import LocalStore

from zerosum.atomic import new_folder, write_text
from zerosum.checked_store import (
    FORMAT,
    MANIFEST,
    METADATA,
    CheckedStore,
    damage,
    no_checksums,
    open_checked,
    read_attributes,
    seal,
)
from zerosum.errors import Damaged, InputError
from zerosum.gradients._result import GradientInterference
from zerosum.gradients._stored_record import as_attributes, from_attributes
from zerosum.gradients.over_training import GradientsOverTraining
from zerosum.gradients.parameters import layer_of
from zerosum.missing import UNKNOWN_STEP
from zerosum.tokens import PADDING

if TYPE_CHECKING:
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
    "step": ("optimizer updates before the checkpoint, -1 where unknown", "1"),
    "tokens_seen": ("training tokens before the checkpoint", "1"),
    "token": ("predicted id, -1 at padding", "1"),
    "unit": ("number of the document or sequence that intervals resample, -1 at padding", "1"),
}
OF_TOKEN = ("loss", "loss_change", "first_order", "norm_l1", "norm_l2", "moved")
OF_PARAMETER = ("numel", "touched", "D_grad", "C_g", "C_ug", "C_uG")
_GROUP = re.compile(r"step-(\d+|unknown)", re.ASCII)
_WHAT = {"what": "per-token gradient opposition by step"}
_ROOT = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": _WHAT})


def open_gradients(path: str | Path, steps: Collection[int] | None = None) -> xr.Dataset:
    """A store of gradient measurements as one xarray Dataset. steps: of the checkpoints that are wanted; None: all.

    loss, loss_change, first_order (nats), norm_l1 = sum_j |g_ij|, norm_l2, moved = sum_j |p_ij|: [checkpoint, sequence,
    position], NaN at padding and where it was not measured. numel, touched, D_grad, C_g, C_ug, C_uG: [checkpoint,
    parameter]. Coordinates: step, tokens_seen; token, the predicted id, and unit, the number of the document or
    sequence that intervals resample, both -1 at padding; parameter, with kind and layer. Each says what it is and in
    which unit in its attrs.
    attrs: documents, one for each checkpoint as `zerosum gradients --json` prints it; data_sha256, of the tokens;
    problems: [{code, steps, message}], `no-checksums` for checkpoints of store format 1.

    Raises InputError where `path` is not such a store, its checkpoints are of different tokens or models, or a file is
    missing or has changed: when the store is opened, or, for per-token numbers, when they are read.
    """
    path = Path(path)
    groups = _opened(path, steps)
    arrays = [group.arrays for group in groups]
    first = arrays[0]
    for group in arrays[1:]:
        for name in group.coords:  # those of the first are taken for all, and only what is read is checked
            group[name].load()
        for what, same in (
            ("tokens", group.attrs["data_sha256"] == first.attrs["data_sha256"]),
            ("models", np.array_equal(group["parameter"].to_numpy(), first["parameter"].to_numpy())),
        ):
            if not same:
                both = f"{first['step'].item()} and {group['step'].item()}"
                raise InputError(f"{path}: steps {both} are of different {what}. Measure each into its own store.")
    whole = xr.concat(arrays, "checkpoint", data_vars="all", coords="minimal", compat="override", join="override")
    documents = [group.record.to_json() for group in groups]
    whole.attrs = {"documents": documents, "data_sha256": first.attrs["data_sha256"], "unit": "nats"}
    unchecked = [group["step"].item() for group in arrays if "format" not in group.attrs]
    remedy = f"Delete the folder of a step in {path} and start the same zerosum gradients command again."
    whole.attrs["problems"] = [no_checksums(remedy, unchecked)] if unchecked else []
    return whole


def read_gradients(path: str | Path, name: str = "", steps: Collection[int] | None = None) -> GradientsOverTraining:
    """A store of gradient measurements as the records of its checkpoints, with the numbers of each token.

    name: of the run; without it that of the folder. steps: of the checkpoints that are wanted; None: all.
    Raises InputError where `path` is not such a store.
    """
    path = Path(path)
    records = tuple(_with_arrays(group) for group in _opened(path, steps))
    return GradientsOverTraining(name or path.absolute().name, records)


def write(path: Path, record: GradientInterference, tokens: "TokenSequences", how: dict[str, Any]) -> None:
    """Put one checkpoint into the store at `path`; an older group of its step is replaced when the new one is whole.

    record: of a checkpoint, with its step. how: the cache key.
    Raises InputError where the store holds checkpoints measured on other tokens.
    """
    require_same_tokens(path, tokens.sha256)
    path.mkdir(parents=True, exist_ok=True)
    if _damage_of_root(path):
        write_text(path / METADATA, _ROOT)
    with new_folder(path / _group_name(record.step)) as part:
        _dataset(record, tokens, how).to_zarr(LocalStore(part), mode="w", consolidated=False)
        seal(part)


def measured(path: Path, step: int, how: dict[str, Any]) -> GradientInterference | None:
    """The record of a step, if it was measured under this key and is intact; None where it has to be measured."""
    group = path / _group_name(step)
    if _attrs(group).get("how") != how or damage(group, _damaged):
        return None
    try:
        record = _with_arrays(_open(group))
    except InputError:
        return None
    return record if record.noise else None  # an earlier version measured no noise scale


def keys_of(path: Path) -> dict[int, dict[str, Any]]:
    """Step -> cache key of its measurement; without those that are damaged or have none."""
    keys = {step: _attrs(group).get("how") for step, group in _groups(path)}
    return {step: key for step, key in keys.items() if isinstance(key, dict)}


def repair(path: Path, step: int) -> str | None:
    """Write the file that all checkpoints share again if it is damaged; returns what is, there or at a step, if any."""
    if not any(_groups(path)):
        return None
    found = []
    if what := _damage_of_root(path):
        write_text(path / METADATA, _ROOT)
        found.append(f"{what}, and was written again")
    group = path / _group_name(step)
    if group.is_dir() and (error := damage(group, _damaged)):
        found.append(f"its stored measurement was damaged ({error.what}), and was made again")
    return "; ".join(found) or None


def require_store(path: Path) -> None:
    """Raises InputError where `path` holds anything but a store of gradients, or cannot be the name of a folder."""
    other = f"Give a folder of its own, such as {STORE}."
    if path.name in ("", ".."):
        raise InputError(f"--store {str(path)!r}: not the name of a folder that could be made. {other}")
    try:
        if not path.exists():
            return
        empty = {file.name for file in path.iterdir()} <= {"zarr.json.part"}
    except OSError as error:
        raise InputError(f"--store {path}: cannot be read ({error.strerror}). {other}") from error
    if not empty and _attrs(path) != _WHAT and not any(_groups(path)):
        raise InputError(f"--store {path}: holds something else. {other} This one was not touched.")


def require_same_tokens(path: Path, data_sha256: str) -> None:
    """Raises InputError where the store holds anything measured on other tokens."""
    for _, group in _groups(path):
        if _attrs(group).get("data_sha256", data_sha256) != data_sha256:
            raise InputError(
                f"{path}: made with other tokens (DATA, tokenizer or options). Choose another --store; this one was "
                "not touched."
            )


def _group_name(step: int | None) -> str:
    return "step-unknown" if step in (None, UNKNOWN_STEP) else f"step-{step}"


def _groups(path: Path) -> Iterator[tuple[int, Path]]:
    """Step and folder of each checkpoint, also where one of the files is lost."""
    for group in path.glob("step-*"):
        if (named := _GROUP.fullmatch(group.name)) and any((group / file).is_file() for file in (METADATA, MANIFEST)):
            yield UNKNOWN_STEP if named[1] == "unknown" else int(named[1]), group


def _damage_of_root(path: Path) -> str | None:
    """What is wrong with the file that all checkpoints share, which is the same in every store."""
    file = path / METADATA
    if not file.is_file():
        return f"{METADATA} is missing"
    return None if file.read_bytes() == _ROOT.encode() else f"{METADATA} has changed since it was written"


def _attrs(group: Path) -> dict[str, Any]:
    """Attributes of a group; none where it is missing or damaged."""
    try:
        return read_attributes(group, _damaged)
    except (InputError, OSError):
        return {}


def _damaged(place: Path, what: str) -> Damaged:
    return Damaged(place, what, "Start the same zerosum gradients command again: it repairs this.")


class Group(NamedTuple):
    """One checkpoint of a store. arrays: with dimension checkpoint, and its parameters by name, kind and layer."""

    record: GradientInterference
    arrays: xr.Dataset


def _opened(path: Path, steps: Collection[int] | None) -> list[Group]:
    """The checkpoints by step. Raises InputError where there are none."""
    groups = [_open(group) for step, group in sorted(_groups(path)) if steps is None or step in steps]
    if groups and (what := _damage_of_root(path)):
        raise _damaged(path, what)
    if not groups:
        wanted = "" if steps is None else f" of steps {', '.join(map(str, sorted(steps)))}"
        raise InputError(f"{path}: no store of gradient measurements{wanted}. Give a folder called {STORE}.")
    return groups


def _open(group: Path) -> Group:
    try:
        opened = open_checked(CheckedStore(group, _damaged))
        opened["loss"], opened["step"], opened.attrs["data_sha256"]
        record = from_attributes(opened.attrs)
        names = [parameter.name for parameter in record.parameters]
        kinds, layers = [parameter.kind for parameter in record.parameters], list(map(layer_of, names))
        if opened.sizes.get("parameter", 0) != len(names):  # a positionwise proxy in an old store
            opened = opened.drop_dims("parameter")
        coordinates: dict[str, Any] = {"parameter": names}
        coordinates |= {"kind": ("parameter", kinds), "layer": ("parameter", layers)}
        coordinates |= {name: ("checkpoint", [opened[name].item()]) for name in ("step", "tokens_seen")}
        opened = opened.expand_dims("checkpoint").assign_coords(coordinates)
    except InputError:
        raise
    except Exception as error:  # zarr raises whatever a damaged file happens to lead to
        cause = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{group}: not readable ({cause}). Remove this folder and measure again.") from error
    return Group(record, opened)


def _with_arrays(group: Group) -> GradientInterference:
    """The record of a checkpoint with the numbers of each of its tokens."""
    arrays = group.arrays.isel(checkpoint=0)
    per_token = {name: arrays[name].to_numpy().astype(np.float64) for name in OF_TOKEN if name in arrays}
    unit = arrays["unit"].to_numpy() if "unit" in arrays.coords else None
    return replace(group.record, per_token=per_token, unit=unit)


# Names of parameters are in the record alone: zarr has no settled type for strings.
def _dataset(record: GradientInterference, tokens: "TokenSequences", how: dict[str, Any]) -> xr.Dataset:
    place = ("sequence", "position")
    values: dict[str, Any] = {
        name: (place, numbers.astype(np.float32) if name == "loss" else numbers)
        for name, numbers in record.per_token.items()
    }
    for name in OF_PARAMETER:
        values[name] = ("parameter", _of_parameters(record, name))
    coordinates = {
        "step": ((), np.int64(UNKNOWN_STEP if record.step is None else record.step)),
        "tokens_seen": ((), nan if record.tokens_seen is None else float(record.tokens_seen)),
        "token": (place, tokens.ids[:, 1:].astype(np.int32)),
        "unit": (place, _units(tokens, record.units)),
    }
    attrs: dict[str, Any] = {"record": as_attributes(record), "how": how, "data_sha256": tokens.sha256}
    attrs |= {"unit": "nats", "format": FORMAT}
    whole = xr.Dataset(values, coordinates, attrs)
    for name, (meaning, unit) in MEANINGS.items():
        if name in whole:
            whole[name].attrs |= {"long_name": meaning, "units": unit}
    return whole


def _of_parameters(record: GradientInterference, name: str) -> Float64[np.ndarray, " P"]:
    """Numbers of the gradients of tokens: a proxy has none."""
    values = [getattr(part, name) for part in record.parameters]
    unknown = record.is_proxy and name != "numel"
    return np.array([nan if unknown or value is None else float(value) for value in values])


def _units(tokens: "TokenSequences", units: str) -> Int32[np.ndarray, "S T"]:
    """The resampling unit of each predicted token: number of its document or sequence, -1 at padding."""
    numbers = tokens.document if units == "document" else np.arange(len(tokens.ids))
    numbers = numbers[:, None] if numbers.ndim == 1 else numbers
    return np.where(tokens.predicted, numbers, PADDING).astype(np.int32)
