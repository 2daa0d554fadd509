"""Finds the checkpoints in the sources that users name: folders, files, models on the hub, and lists of these."""

import json
import os
import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from zerosum.checkpoints._averages import averaged_run
from zerosum.checkpoints._kind import Progress
from zerosum.checkpoints._run import Checkpoint, Run, not_a_checkpoint
from zerosum.checkpoints.hub import REPO, HubRevision, list_revisions
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.kinds.hugging_face import read_json
from zerosum.checkpoints.names import ParsedName, parse_name
from zerosum.curves.folders import OUR_LOG
from zerosum.errors import InputError
from zerosum.missing import UNKNOWN_STEP

_STEP = re.compile(r"\d{1,15}", re.ASCII)
_FILE_SUFFIXES = (".ckpt", ".pt")  # names with these belong to files, all others to folders


@dataclass(frozen=True)
class _FoundCheckpoint:
    """A checkpoint with its stage of training ("" where its name states none)."""

    checkpoint: Checkpoint
    stage: str


Refuse = Callable[[str, InputError], None]
"""Receives the name of a checkpoint that cannot be read, and why."""


def open_run(source: str | Path, *, revisions: str | None = None, average: str | None = None) -> Run:
    """Find the checkpoints of a run directory, a single checkpoint, or the revisions of a model on the hub.

    source: a folder that holds `checkpoint-500`, `step1000-unsharded`, `epoch=1-step=16.ckpt`, `ckpt.pt` or similar;
    one of these itself; `EleutherAI/pythia-70m` or `EleutherAI/pythia-70m@step1000`. revisions: shell pattern for the
    branches and tags on the hub; without it, all whose names state a step. average: averages of weights instead of the
    weights of each step: "last:64", "ema:0.995", or steps, as "900,950,1000"; see `averaged_run`.

    Raises InputError where there is no checkpoint, a checkpoint has no weights, or two have the same step; and where
    the average was not saved and cannot be made.
    """
    return find_checkpoints([source], revisions=revisions, average=average)


def find_checkpoints(
    sources: Sequence[str | Path],
    *,
    revisions: str | None = None,
    refuse: Refuse | None = None,
    average: str | None = None,
) -> Run:
    """Find the checkpoints of several sources (see `open_run`, also for `average`) and take them together as one run.

    If neither the name nor the files of a checkpoint state its step, give it as `PATH@STEP`; a checkpoint by itself
    needs none (UNKNOWN_STEP). refuse: takes those of a
    run directory that are damaged or half written, and the others are found; None: the first of them is raised, as it
    is where no other checkpoint is left.
    """
    if not sources:
        raise InputError("no checkpoint given. Give a run directory, checkpoints, or a model on the hub.")
    entries = [entry for source in sources for entry in _checkpoints_of_source(str(source), revisions, refuse)]
    entries.sort(key=lambda entry: entry.checkpoint.step)
    _require_one_run(entries)
    run = Run(_run_path(sources, entries), tuple(entry.checkpoint for entry in entries))
    return run if average is None else averaged_run(run, average)


def only_checkpoint(source: str | Path) -> Checkpoint:
    """The checkpoint that a source means. Raises InputError where it is a run of several, or none."""
    checkpoints = open_run(source).checkpoints
    if len(checkpoints) > 1:
        names = [Path(checkpoint.name).name for checkpoint in checkpoints]
        listed = ", ".join(names if len(names) < 4 else [*names[:3], "..."])
        raise InputError(f"{source}: {len(checkpoints)} checkpoints ({listed}). Give one of them.")
    return checkpoints[0]


def _checkpoints_of_source(source: str, revisions: str | None, refuse: Refuse | None) -> Iterator[_FoundCheckpoint]:
    path, (before, _, after) = Path(source), source.rpartition("@")
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
        yield from _checkpoints_at_path(path, refuse)
    elif before and _STEP.fullmatch(after) and os.path.exists(before):  # noqa: PTH110
        yield _checkpoint_at_path(Path(before), step=int(after))
    elif after and REPO.fullmatch(before):
        yield _checkpoint_of_revision(HubRevision(before, after))
    elif REPO.fullmatch(source):
        names = list_revisions(source, revisions)
        yield from (_checkpoint_of_revision(HubRevision(source, name)) for name in names)
    else:
        raise InputError(
            f"{source}: not a folder or file. Give a run directory (a folder that holds checkpoint-<step> folders), a "
            "checkpoint, or a model on the hub as OWNER/NAME."
        )


def _checkpoints_at_path(path: Path, refuse: Refuse | None) -> Iterator[_FoundCheckpoint]:
    """The checkpoints in a run directory, or the path itself where it is a checkpoint."""
    candidates = _paths_named_as_checkpoints(path) or _paths_named_as_checkpoints(path / "checkpoints")
    readable = [candidate for candidate in candidates if kind_of(candidate) is not None]
    # A checkpoint may contain a folder with a checkpoint's name, such as DeepSpeed's global_step500.
    if not candidates or (not readable and kind_of(path) is not None):
        if kind_of(path) is None and path.is_dir() and parse_name(path.name) is None:
            raise InputError(
                f"{path}: no checkpoint-<step> folder in it, and no step1000, ckpt.pt or similar. Give the folder "
                "that holds the checkpoints."
            )
        yield _checkpoint_at_path(path)
        return
    tokens_by_step = _tokens_by_step(path / OUR_LOG)
    readable_steps = {_step_in_name(candidate) for candidate in readable} - {None}
    broken = {} if refuse is None else _broken(candidates, readable_steps)
    if refuse is not None and len(broken) < len(candidates):
        for candidate, error in broken.items():
            refuse(str(candidate), error)
        candidates = [candidate for candidate in candidates if candidate not in broken]
    for candidate in candidates:
        # OLMo writes a sharded step1000 beside step1000-unsharded: take the one that can be read.
        if candidate not in readable and _step_in_name(candidate) in readable_steps:
            continue
        entry = _checkpoint_at_path(candidate, tokens_by_step=tokens_by_step)
        # Lightning writes last.ckpt, a copy of epoch=1-step=16.ckpt: leave the copy out.
        if _step_in_name(candidate) is not None or entry.checkpoint.step not in readable_steps:
            yield entry


def _broken(candidates: Sequence[Path], readable_steps: Container[int | None]) -> dict[Path, InputError]:
    """Those whose weights or settings are half written, and why; without those that another one stands for."""
    broken = {}
    for candidate in candidates:
        try:
            _require_whole(candidate)
        except InputError as error:
            if kind_of(candidate) is not None or _step_in_name(candidate) not in readable_steps:
                broken[candidate] = error
    return broken


def _require_whole(path: Path) -> None:
    """Raises InputError where a file of weights or settings is missing or breaks off."""
    kind = kind_of(path)
    if kind is None:
        raise not_a_checkpoint(path)
    kind.weights(path).named_shapes()
    if (path / "config.json").is_file():
        read_json(path / "config.json")


def _step_in_name(path: Path) -> int | None:
    parsed = parse_name(path.name)
    return None if parsed is None else parsed.step


def _paths_named_as_checkpoints(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if parse_name(path.name) and (path.is_file() if path.suffix in _FILE_SUFFIXES else path.is_dir())
        )
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}). Make it readable, or give another.") from error


def _checkpoint_at_path(
    path: Path, *, step: int | None = None, tokens_by_step: dict[int, int] | None = None
) -> _FoundCheckpoint:
    """The checkpoint that a file or folder is. step: as given by the user, before name and files are asked."""
    kind = kind_of(path)
    if kind is None:
        raise not_a_checkpoint(path)
    kind.weights(path)  # a missing file is reported now, not after hours of measuring
    parsed = parse_name(path.resolve().name) or ParsedName(None)
    step = parsed.step if step is None else step
    name_suffices = step is not None and (parsed.tokens_seen is not None or not path.is_dir())
    progress = Progress() if name_suffices else kind.progress(path)
    step = progress.step if step is None else step
    if step is None:
        return _FoundCheckpoint(Checkpoint(UNKNOWN_STEP, path, progress.tokens_seen), parsed.stage)
    tokens_seen = (tokens_by_step or {}).get(step)
    for other in (parsed.tokens_seen, progress.tokens_seen):
        tokens_seen = other if tokens_seen is None else tokens_seen
    return _FoundCheckpoint(Checkpoint(step, path, 0 if step == 0 else tokens_seen), parsed.stage)


def _checkpoint_of_revision(revision: HubRevision) -> _FoundCheckpoint:
    parsed = parse_name(revision.revision) or ParsedName(None)
    step = UNKNOWN_STEP if parsed.step is None else parsed.step
    return _FoundCheckpoint(Checkpoint(step, revision, parsed.tokens_seen), parsed.stage)


def _require_one_run(entries: list[_FoundCheckpoint]) -> None:
    """Raise InputError for several stages of training, two checkpoints of one step, or one of several without a step.

    entries: sorted by step.
    """
    if len(entries) > 1 and entries[0].checkpoint.step == UNKNOWN_STEP:
        first = entries[0].checkpoint
        if isinstance(first.location, Path):
            raise InputError(
                f"{first.name}: neither its name nor its files state the step. Append it: {first.name}@STEP"
            )
        raise InputError(
            f"{first.name}: the name of this revision does not state the step. Choose others with --revisions, or "
            "download it and give its folder as PATH@STEP."
        )
    stages = sorted({entry.stage for entry in entries})
    if len(stages) > 1:
        listed = ", ".join(stage or "none" for stage in stages[:4]) + (", ..." if len(stages) > 4 else "")
        raise InputError(
            f"{entries[0].checkpoint.name}: checkpoints of several stages ({listed}), and each stage counts its steps "
            "from 0. Choose one stage, for example with "
            f"--revisions '{next(filter(None, stages))}-*'."
        )
    for first, second in pairwise(entry.checkpoint for entry in entries):
        if first.step == second.step:
            raise InputError(
                f"{first.name}: step {first.step}, and {second.name} is of the same step. A run has one checkpoint "
                "per step: leave one of them out."
            )


def _run_path(sources: Sequence[str | Path], entries: list[_FoundCheckpoint]) -> Path:
    """The folder for the measurements of the run (see `Run.path`)."""
    local = [Path(entry.checkpoint.location) for entry in entries if isinstance(entry.checkpoint.location, Path)]
    if len(sources) == 1 and Path(sources[0]).is_dir() and Path(sources[0]) not in local:
        return Path(sources[0])
    if local:
        return Path(os.path.commonpath([path.absolute().parent for path in local]))
    return Path(entries[0].checkpoint.name.partition("@")[0].replace("/", "--"))


def _tokens_by_step(metrics: Path) -> dict[int, int]:
    """Logged step -> tokens seen; empty without a log. Damaged lines are skipped: a killed run may leave one."""
    if not metrics.is_file():
        return {}
    tokens = {}
    for line in metrics.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
            tokens[int(row["step"])] = int(row["tokens_seen"])
        except (ValueError, KeyError, TypeError):
            continue
    return tokens
