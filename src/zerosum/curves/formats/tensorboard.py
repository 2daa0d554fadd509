"""TensorBoard event files, every point of them. Needs neither tensorboard nor protobuf."""

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves import wire
from zerosum.curves._format import Choose, Columns, Format
from zerosum.curves._note import Note
from zerosum.curves.records import Damage, begins_with_record, records
from zerosum.errors import InputError

Points = list[tuple[int, float]]  # (step, value) of one tag, in the order written
# Field numbers of tensorflow's event.proto, summary.proto and tensor.proto.
EVENT_STEP, EVENT_SUMMARY = 2, 5
SUMMARY_VALUE = 1
VALUE_TAG, VALUE_SIMPLE, VALUE_TENSOR = 1, 2, 8
TENSOR_TYPE, TENSOR_SHAPE, TENSOR_CONTENT = 1, 2, 4
LISTED = {5: "<f", 6: "<d"}  # float_val, double_val: packed lists
LAYOUT = {1: "<f", 2: "<d", 3: "<i", 9: "<q", 19: "<e"}  # DataType -> struct


def _matches(head: bytes, name: str) -> bool:
    return begins_with_record(head)


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    damage = Damage()
    tags = _tags(paths, damage)
    notes = list(damage.notes)
    if len(paths) > 1:
        notes.insert(
            0,
            Note(
                "several-files",
                f"{len(paths)} event files of one folder read one after the other, by the time in their names",
            ),
        )
    if damage.bad_records:
        notes.append(Note("damaged", f"{damage.bad_records} damaged records dropped"))
    if not tags:
        why = "; ".join(notes) or "no scalar in it"
        raise InputError(f"{paths[0]}: no scalars ({why}). Give an event file of the training loss.")
    own_step = "step" if "step" not in tags else "event step"
    chosen = choose([own_step, *tags])
    points = {axis: tags[name] for axis, name in chosen.items() if name != own_step}
    return Columns(_joined(points, chosen, own_step), chosen, tuple(notes), "tensorboard")


def _tags(paths: tuple[Path, ...], damage: Damage) -> dict[str, Points]:
    """The points of each scalar."""
    tags: dict[str, Points] = defaultdict(list)
    for path in paths:
        for event in records(path, damage):
            try:
                _add_scalars(event, tags)
            except wire.WireError:
                damage.bad_records += 1
    return tags


def _logged(paths: tuple[Path, ...]) -> Iterator[dict[str, Any]]:
    tags = _tags(paths, Damage())
    return ({"step": step, tag: value} for tag, points in tags.items() for step, value in points)


def _joined(points: dict[str, Points], chosen: dict[str, str], own_step: str) -> dict[str, Float[np.ndarray, " n"]]:
    """One row for each loss; other tags by the event's step, the k-th time it occurs with the k-th."""
    losses = points.get("loss", [(step, float(step)) for step in sorted({s for p in points.values() for s, _ in p})])
    steps = [step for step, _ in losses]
    axes = {"loss": np.array([value for _, value in losses])}
    for axis, name in chosen.items():
        if name == own_step:
            axes[axis] = np.array(steps, dtype=np.float64)
        elif axis != "loss":
            axes[axis] = _by_step(points[axis], steps)
    return axes


def _by_step(points: Points, steps: Sequence[int]) -> Float[np.ndarray, " n"]:
    at: dict[int, list[float]] = defaultdict(list)
    for step, value in points:
        at[step].append(value)
    seen: dict[int, int] = defaultdict(int)
    joined = np.full(len(steps), np.nan)
    for row, step in enumerate(steps):
        values = at.get(step)
        if values:
            joined[row] = values[min(seen[step], len(values) - 1)]
            seen[step] += 1
    return joined


def _add_scalars(event: bytes, tags: dict[str, Points]) -> None:
    step = 0
    values: list[bytes] = []
    for field, value in wire.fields(event):
        if field == EVENT_STEP:
            step = wire.signed(value)
        elif field == EVENT_SUMMARY:
            values.extend(wire.message(inner) for f, inner in wire.fields(wire.message(value)) if f == SUMMARY_VALUE)
    for scalar in values:
        tag, number = b"", None
        for field, inner in wire.fields(scalar):
            if field == VALUE_TAG:
                tag = wire.message(inner)
            elif field == VALUE_SIMPLE:
                number = wire.float32(inner)
            elif field == VALUE_TENSOR:
                number = _tensor(wire.message(inner))
        if number is not None:
            tags[wire.text(tag)].append((step, number))


def _tensor(tensor: bytes) -> float | None:
    """TensorFlow 2 and JAX write scalars as tensors without dimensions; None for any other tensor."""
    layout, content, number = "", b"", None
    for field, value in wire.fields(tensor):
        if field == TENSOR_TYPE:
            layout = LAYOUT.get(wire.signed(value), "")
        elif field == TENSOR_SHAPE and wire.message(value):
            return None
        elif field == TENSOR_CONTENT:
            content = wire.message(value)
        elif field in LISTED:
            packed = wire.message(value)
            if len(packed) == struct.calcsize(LISTED[field]):
                number = float(struct.unpack(LISTED[field], packed)[0])
    if layout and len(content) == struct.calcsize(layout):
        return float(struct.unpack(layout, content)[0])
    return number


def _by_folder(files: Sequence[Path]) -> list[tuple[Path, ...]]:
    """The event files of one folder are one run, which was restarted; their names begin with the time."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for file in sorted(files, key=lambda file: file.name):
        folders[file.parent].append(file)
    return [tuple(group) for group in folders.values()]


FORMAT = Format(
    name="TensorBoard event file",
    named=("*tfevents*",),
    matches=_matches,
    read=_read,
    rank=1,
    places=("*tfevents*", "*/*tfevents*", "*/*/*tfevents*"),
    runs=_by_folder,
    rows=_logged,
)
