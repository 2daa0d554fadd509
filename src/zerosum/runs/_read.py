"""Everything that was measured of a run, as records, and what is missing with the command that makes it."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xarray as xr

from zerosum.deceleration import Analysis, analyse
from zerosum.errors import InputError
from zerosum.interference import doubling_pairs
from zerosum.interference.labelled import StoreFindings, findings_of, steps_of
from zerosum.losses import open_store
from zerosum.missing import Missing
from zerosum.runs._directory import RunDirectory
from zerosum.runs._tokenizer import token_text

Pair = tuple[int, int]
Along = Callable[[Sequence[Pair]], Iterable[Pair]]


@dataclass(frozen=True)
class Wanted:
    """What of a run's per-token losses is wanted; see `zerosum.interference.labelled.findings_of`.

    tokenizer: folder or name, where the store names none. groups, heat: whether they are measured at all.
    """

    pairs: str = "doubling"
    between: Pair | None = None
    tokenizer: str | None = None
    documents: int = 3
    seed: int = 0
    groups: bool = True
    heat: bool = True

    @property
    def by_name(self) -> bool:
        """Whether it names what a store may not have: then that is refused, not left out."""
        return self.pairs != "doubling" or self.between is not None or self.tokenizer is not None


@dataclass(frozen=True)
class MeasuredRun:
    """One run. name: of its folder. records: at most one of each type. folder: where a report on it belongs."""

    name: str
    records: tuple[Any, ...]
    missing: tuple[Missing, ...]
    folder: Path


def read_run(source: str | Path, wanted: Wanted | None = None, *, name: str = "", along: Along = iter) -> MeasuredRun:
    """Fit the loss curve of a run and read all that was measured of it.

    source: a run directory, or a store of per-token losses. name: what to call the curve, as its log says without it.
    along: wraps pairs of steps while they are measured, for a progress bar.
    Raises InputError where nothing was measured, and for what `wanted` names and the store does not have.
    """
    run, store = _places(source)
    missing: list[Missing] = []
    curve = _curve(run, name, missing)
    losses = _losses(str(source), store, wanted or Wanted(), along, missing)
    records = tuple(record for record in (curve, losses) if record is not None)
    if not records:
        causes = (f"{one.what}: {one.why} {one.command}".strip() for one in missing)
        raise InputError(f"{source}: nothing to report. {' '.join(causes)}")
    folder = run.measured if run else store.absolute().with_name(f"{store.name}-report")
    return MeasuredRun(run.name if run else store.resolve().name, records, tuple(missing), folder)


def _places(source: str | Path) -> tuple[RunDirectory | None, Path]:
    """The run directory, if there is one, and where its store of losses is or would be."""
    path = Path(source)
    if not path.exists():
        raise InputError(f"{source}: not there. Give a run directory or a store of per-token losses.")
    if not path.is_dir():
        log = shlex.quote(str(source))
        raise InputError(f"{source}: a file, not a run directory. For a loss log: zerosum fit {log} --out DIR")
    if (path / "zarr.json").is_file():
        return RunDirectory.of_losses(path), path
    return RunDirectory(path), RunDirectory(path).losses


def _curve(run: RunDirectory | None, name: str, missing: list[Missing]) -> Analysis | None:
    what = "The loss curve"
    if run is None:
        why = "a store alone has no loss log. Give the run directory instead."
        missing.append(Missing(what, why, code="no-run-directory"))
        return None
    try:
        curve = run.curve()
        return analyse(replace(curve, name=name) if name else curve)
    except InputError as error:
        missing.append(Missing(what, _line(error), "zerosum fit LOG --out DIR", "no-curve"))
        return None


def _losses(source: str, store: Path, wanted: Wanted, along: Along, missing: list[Missing]) -> StoreFindings | None:
    """What the store says; a store that cannot be used does not take the rest of the run."""
    what = "Per-token losses"
    if not store.is_dir():
        command = f"zerosum losses {shlex.quote(source)} --data TEXTS"
        missing.append(Missing(what, "they were not measured. Measure them:", command, "not-measured"))
        return None
    try:
        return _findings(store, open_store(store), wanted, along, missing)
    except InputError as error:
        if wanted.by_name:
            raise
        missing.append(Missing(what, _line(error), code="unusable"))
        return None


def _findings(path: Path, store: xr.Dataset, wanted: Wanted, along: Along, missing: list[Missing]) -> StoreFindings:
    pairs = wanted.pairs
    if pairs == "doubling" and not _doubles(store):
        why = "no checkpoint is at twice the step of another, so each is compared with the next."
        missing.append(Missing("Pairs t to 2t", why, code="no-doublings"))
        pairs = "consecutive"
    found = findings_of(
        store,
        pairs,
        between=wanted.between,
        text=token_text(path, store, wanted.tokenizer),
        documents=wanted.documents,
        groups=wanted.groups,
        heat=wanted.heat,
        seed=wanted.seed,
        along=along,
    )
    missing += [Missing(one.what, one.why, code=one.code) for one in found.left_out]
    return found


def _doubles(store: xr.Dataset) -> bool:
    steps = steps_of(store)
    return len(steps) < 2 or bool(doubling_pairs(steps)[0])


def _line(error: InputError) -> str:
    return " ".join(str(error).split())
