"""Everything that was measured of a run, as records, and what is missing with the command that makes it."""

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import xarray as xr

from zerosum import deceleration
from zerosum.checkpoints import Averaged, described
from zerosum.deceleration import Analysis
from zerosum.dissent import read_dissent
from zerosum.errors import InputError
from zerosum.gradients import GradientsOverTraining, read_gradients
from zerosum.interference import doubling_pairs
from zerosum.interference.labelled import (
    Branches,
    RawAndAveraged,
    StoreFindings,
    beside_averages,
    findings_of,
    read_harms,
    steps_of,
)
from zerosum.losses import open_store
from zerosum.missing import Missing
from zerosum.runs._branches import branch_folders, read_branches
from zerosum.runs._directory import RunDirectory, measuring
from zerosum.runs._monitor_log import MonitorLog, read_monitor_log
from zerosum.runs._ngrams import ngrams_of, noted
from zerosum.runs._tokenizer import token_text
from zerosum.sharing import places_beside
from zerosum.tokens.ngrams import NgramLadder

CURVE, LOSSES, GRADIENTS = "The loss curve", "Per-token losses", "Per-token gradients"
DISSENT, LADDER = "Gradient dissent", "Losses of n-gram models"
HARMS = "Who harms whom"
BRANCHES = "Branches on other orders of the data"
Pair = tuple[int, int]
R = TypeVar("R")
Along = Callable[[Sequence[Pair]], Iterable[Pair]]


@dataclass(frozen=True)
class Wanted:
    """Which measurements of a run's per-token losses are wanted; see `zerosum.interference.labelled.findings_of`.

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

    def get(self, kind: type[R]) -> R | None:
        """Its record of a type, if there is one."""
        return next((record for record in self.records if isinstance(record, kind)), None)

    def why_no(self, what: str) -> str:
        """Why something is missing. what: `CURVE`, `LOSSES` or `GRADIENTS`."""
        return next((gap.why for gap in self.missing if gap.what == what), "not measured")


def read_run(source: str | Path, wanted: Wanted | None = None, *, name: str = "", along: Along = iter) -> MeasuredRun:
    """Fit the loss curve of a run and read all that was measured of it.

    source: a run directory, or a store of per-token losses. name: what to call the curve, as its log says without it.
    along: wraps pairs of steps while they are measured, for a progress bar.
    Raises InputError where nothing was measured, and for what `wanted` names and the store does not have.
    """
    run, store = _places(source)
    missing: list[Missing] = []
    ladder = _usable(LADDER, missing, lambda: ngrams_of(run.path)) if run else None
    curve = _curve(run, name, ladder, missing)
    losses = _losses(str(source), store, wanted or Wanted(), along, missing)
    averages = _averages(run, store, losses, missing)
    gradients = _gradients(run, missing)
    dissent = _usable(DISSENT, missing, lambda: read_dissent(run.dissent, run.name)) if run else None
    harms = _usable(HARMS, missing, lambda: read_harms(run.harms)) if run else None
    branches, monitor = _branches(run, missing), _monitor(run)
    measured = (curve, losses, averages, gradients, dissent, harms, branches, monitor)
    records = tuple(record for record in (*measured, ladder) if record is not None)
    if all(record is None for record in measured):
        causes = (f"{gap.what}: {gap.why} {gap.command}".strip() for gap in missing)
        raise InputError(f"{source}: nothing to report. {' '.join(causes)}")
    missing += _others(run)
    gaps = losses.left_out if losses else ()
    missing += [Missing(gap.what, gap.why, code=gap.code) for gap in gaps]
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


def _curve(run: RunDirectory | None, name: str, ladder: NgramLadder | None, missing: list[Missing]) -> Analysis | None:
    if run is None:
        why = "a store alone has no loss log. Give the run directory instead."
        missing.append(Missing(CURVE, why, code="alone"))
        return None
    try:
        curve = run.curve()
        analysis = deceleration.analyse(replace(curve, name=name) if name else curve, horizons=())
    except InputError as error:
        missing.append(Missing(CURVE, _line(error), "zerosum fit LOG --out DIR", "unusable"))
        return None
    return noted(analysis, ladder)


def _monitor(run: RunDirectory | None) -> MonitorLog | None:
    """What the live monitor logged; `_curve` names a log that cannot be read."""
    try:
        return read_monitor_log(run.log) if run else None
    except InputError:
        return None


def _usable(what: str, missing: list[Missing], read: Callable[[], R | None]) -> R | None:
    """What `read` gives. What cannot be used is named, and does not take the rest of the run."""
    try:
        return read()
    except InputError as error:
        missing.append(Missing(what, _line(error), code="unusable"))
        return None


def _losses(source: str, store: Path, wanted: Wanted, along: Along, missing: list[Missing]) -> StoreFindings | None:
    """What the store says; a store that cannot be used does not take the rest of the run."""
    if not store.is_dir():
        command = measuring("losses", source)
        missing.append(Missing(LOSSES, "they were not measured. Measure them:", command, "not-measured"))
        return None
    try:
        return _findings(store, open_store(store), wanted, along, missing)
    except InputError as error:
        if wanted.by_name:
            raise
        missing.append(Missing(LOSSES, _line(error), code="unusable"))
        return None


def _findings(path: Path, store: xr.Dataset, wanted: Wanted, along: Along, missing: list[Missing]) -> StoreFindings:
    pairs = wanted.pairs
    if pairs == "doubling" and not _doubles(store):
        why = "no checkpoint is at twice the step of another, so each is compared with the next."
        missing.append(Missing("Pairs t to 2t", why, code="no-doublings"))
        pairs = "consecutive"
    return findings_of(
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


def _averages(
    run: RunDirectory | None, path: Path, losses: StoreFindings | None, missing: list[Missing]
) -> RawAndAveraged | None:
    """The stores of averaged weights beside that of the run; one that cannot be used is named, and left out."""
    if run is None or run.average or losses is None:
        return None
    raw, stores = open_store(path), []
    for averaged in run.averages:
        try:
            store = open_store(averaged.losses)
            known = filter(None, map(Averaged.of_json, store.attrs.get("averaged", ())))
            stores.append(beside_averages(raw, store, losses.found.pairs, described(list(known))))
        except InputError as error:
            missing.append(Missing(f"Losses of averages {averaged.average}", _line(error), code="unusable"))
    return RawAndAveraged(tuple(stores)) if stores else None


def _gradients(run: RunDirectory | None, missing: list[Missing]) -> GradientsOverTraining | None:
    """What the store of per-token gradients says."""
    if run is None:
        missing.append(Missing(GRADIENTS, "a store of losses has none. Give the run directory instead.", code="alone"))
        return None
    if not run.gradients.is_dir():
        command = measuring("gradients", run.path)
        missing.append(Missing(GRADIENTS, "they were not measured. Measure them:", command, "not-measured"))
        return None
    return _usable(GRADIENTS, missing, lambda: read_gradients(run.gradients, run.name))


def _branches(run: RunDirectory | None, missing: list[Missing]) -> Branches | None:
    """The measured branches from the latest step."""
    folders = branch_folders(run) if run else []
    for folder in folders[:-1]:
        why = f"only {folders[-1].name}, the latest, is shown here."
        missing.append(Missing(f"Branches {folder.name}", why, code="other-store"))
    return _usable(BRANCHES, missing, lambda: read_branches(folders[-1])) if folders else None


def _others(run: RunDirectory | None) -> Iterator[Missing]:
    """What was measured of the run on other data, or in another way, and is not read here."""
    if run is None:
        return
    for default in (run.losses, run.gradients, run.dissent):
        for place in places_beside(default):
            why = f"{place.name} was measured on other data or in another way, and only {default.name} is read here."
            read = f"zerosum interference {shlex.quote(str(place))}" if default == run.losses else ""
            yield Missing("Other measurements", why, read, "other-store")


def _doubles(store: xr.Dataset) -> bool:
    steps = steps_of(store)
    return len(steps) < 2 or bool(doubling_pairs(steps)[0])


def _line(error: InputError) -> str:
    return " ".join(str(error).split())
