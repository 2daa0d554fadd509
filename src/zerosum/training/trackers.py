"""Rows of the log sent to TensorBoard or Weights & Biases while a run trains, through the trackers of accelerate.

`metrics.jsonl` stays the log of the run. Where a run was killed and continued, a tracker gets the rows after the last
saved state twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zerosum.errors import InputError, MissingExtra

TRACKERS = ("tensorboard", "wandb")


@contextmanager
def open_trackers(names: Sequence[str], run: Path, settings: Mapping[str, Any]) -> "Iterator[Trackers]":
    """Open trackers by name for the main process of a run, and close them at the end of the block.

    settings: of the run, recorded with it. Raises InputError for a name that is not known, MissingExtra for a library
    that is not installed.
    """
    unknown = [name for name in names if name not in TRACKERS]
    if unknown:
        raise InputError(f"tracker {unknown[0]!r}: not known. Choose of {', '.join(TRACKERS)}.")
    trackers = [_open(name, run) for name in names]
    plain = {name: value if isinstance(value, bool | int | float) else str(value) for name, value in settings.items()}
    for tracker in trackers:
        tracker.store_init_configuration(plain)
    try:
        yield Trackers(trackers)
    finally:
        for tracker in trackers:
            tracker.finish()


def _open(name: str, run: Path) -> Any:
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    options = {"logging_dir": str(run)} if name == "tensorboard" else {"name": run.name, "dir": str(run)}
    tracker = LOGGER_TYPE_TO_CLASS[name](name if name == "tensorboard" else "zerosum", **options)
    try:
        tracker.start()
    except ImportError as missing:
        raise MissingExtra(missing.name or name, name) from missing
    return tracker


class Trackers:
    """Open trackers of accelerate; none is allowed."""

    def __init__(self, trackers: Sequence[Any]):
        self._trackers = trackers

    def log(self, row: Mapping[str, float | int | None]) -> None:
        """Send one row; values that are None are left out."""
        values = {name: value for name, value in row.items() if name != "step" and value is not None}
        for tracker in self._trackers:
            tracker.log(values, step=row["step"])
