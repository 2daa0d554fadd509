"""From what people write to a run: folders, files, lists of them, models on the hub."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from zerosum.checkpoints._kind import Progress
from zerosum.checkpoints._run import Checkpoint, Run, not_a_checkpoint
from zerosum.checkpoints.hub import REPO, HubRevision, list_revisions
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.names import Named, parse_name
from zerosum.curves.folders import OUR_LOG
from zerosum.errors import InputError

_STEP = re.compile(r"\d{1,15}", re.ASCII)


@dataclass(frozen=True)
class _Found:
    checkpoint: Checkpoint
    stage: str


def open_run(source: str | Path, *, revisions: str | None = None) -> Run:
    """Find the checkpoints of a run directory, a single checkpoint or a model on the hub.

    source: a folder that holds `checkpoint-500`, `step1000-unsharded`, `epoch=1-step=16.ckpt`, `ckpt.pt` and the like;
    one of these itself; `EleutherAI/pythia-70m` or `EleutherAI/pythia-70m@step1000`. revisions: shell pattern of the
    hub's branches and tags; without it, all whose names say a step.

    Raises InputError where there is no checkpoint, one without weights, or two of the same step.
    """
    return find_checkpoints([source], revisions=revisions)


def find_checkpoints(sources: Sequence[str | Path], *, revisions: str | None = None) -> Run:
    """The same for any list of run directories, checkpoints and models on the hub, taken together as one run.

    A checkpoint whose name and files do not tell its step is given as `PATH@STEP`.
    """
    if not sources:
        raise InputError("no checkpoint given. Give a run directory, checkpoints, or a model on the hub.")
    found = [one for source in sources for one in _of_source(str(source), revisions)]
    found.sort(key=lambda one: one.checkpoint.step)
    _require_one_run(found)
    return Run(_place(sources, found), tuple(one.checkpoint for one in found))


def _of_source(source: str, revisions: str | None) -> Iterator[_Found]:
    path, (before, _, after) = Path(source), source.rpartition("@")
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises for names that no file can have
        yield from _of_path(path)
    elif before and _STEP.fullmatch(after) and os.path.exists(before):  # noqa: PTH110
        yield _of_checkpoint(Path(before), step=int(after))
    elif after and REPO.fullmatch(before):
        yield _of_revision(HubRevision(before, after))
    elif REPO.fullmatch(source):
        yield from (_of_revision(HubRevision(source, name)) for name in list_revisions(source, revisions))
    else:
        raise InputError(
            f"{source}: not a folder or file. Give a run directory, one that holds checkpoint-<step> folders, a "
            "checkpoint, or a model on the hub as OWNER/NAME."
        )


def _of_path(path: Path) -> Iterator[_Found]:
    named = _named_inside(path) or _named_inside(path / "checkpoints")
    known = [inner for inner in named if kind_of(inner) is not None]
    # What is in a checkpoint is sometimes called like one: DeepSpeed's global_step500.
    if not named or (not known and kind_of(path) is not None):
        if kind_of(path) is None and path.is_dir() and parse_name(path.name) is None:
            raise InputError(
                f"{path}: no checkpoint-<step> folder in it, or step1000, ckpt.pt and the like. Give the "
                "folder that holds them."
            )
        yield _of_checkpoint(path)
    else:
        tokens = _tokens_of_log(path / OUR_LOG)
        steps = {_step_in(inner) for inner in known} - {None}
        for inner in named:
            # Beside step1000-unsharded lies a step1000 of many shards: the one that can be read is meant.
            if inner not in known and _step_in(inner) in steps:
                continue
            found = _of_checkpoint(inner, tokens=tokens)
            # Beside epoch=1-step=16.ckpt lies a copy of it, called last.ckpt.
            if _step_in(inner) is not None or found.checkpoint.step not in steps:
                yield found


def _step_in(path: Path) -> int | None:
    said = parse_name(path.name)
    return None if said is None else said.step


def _named_inside(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = (".ckpt", ".pt")
    try:
        return sorted(
            inner
            for inner in folder.iterdir()
            if parse_name(inner.name) and (inner.is_file() if inner.suffix in files else inner.is_dir())
        )
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}). Make it readable, or give another.") from error


def _of_checkpoint(path: Path, *, step: int | None = None, tokens: dict[int, int] | None = None) -> _Found:
    kind = kind_of(path)
    if kind is None:
        raise not_a_checkpoint(path)
    kind.weights(path)  # says now which file is missing, not after hours
    said = parse_name(path.resolve().name) or Named(None)
    step = said.step if step is None else step
    inside = kind.progress(path) if step is None or (said.tokens_seen is None and path.is_dir()) else Progress()
    step = inside.step if step is None else step
    if step is None:
        raise InputError(f"{path}: neither its name nor its files tell the step. Write it behind the name: {path}@STEP")
    seen = (tokens or {}).get(step)
    for other in (said.tokens_seen, inside.tokens_seen):
        seen = other if seen is None else seen
    return _Found(Checkpoint(step, path, 0 if step == 0 else seen), said.stage)


def _of_revision(revision: HubRevision) -> _Found:
    said = parse_name(revision.revision)
    if said is None or said.step is None:
        raise InputError(
            f"{revision.name}: the name of this revision does not tell the step. Choose others with --revisions, or "
            "download it and give its folder as PATH@STEP."
        )
    return _Found(Checkpoint(said.step, revision, said.tokens_seen), said.stage)


def _require_one_run(found: list[_Found]) -> None:
    stages = sorted({one.stage for one in found})
    if len(stages) > 1:
        listed = ", ".join(name or "none" for name in stages[:4]) + (", ..." if len(stages) > 4 else "")
        raise InputError(
            f"{found[0].checkpoint.name}: checkpoints of several stages ({listed}), each of which counts its steps "
            "anew. Choose one, for example with "
            f"--revisions '{next(filter(None, stages))}-*'."
        )
    for one, other in pairwise(found):
        if one.checkpoint.step == other.checkpoint.step:
            raise InputError(
                f"{one.checkpoint.name}: step {one.checkpoint.step}, as is {other.checkpoint.name}. A run has one "
                "checkpoint for each step: leave one out."
            )


def _place(sources: Sequence[str | Path], found: list[_Found]) -> Path:
    """Where what is measured belongs."""
    local = [Path(one.checkpoint.location) for one in found if isinstance(one.checkpoint.location, Path)]
    if len(sources) == 1 and Path(sources[0]).is_dir() and Path(sources[0]) not in local:
        return Path(sources[0])
    if local:
        return Path(os.path.commonpath([path.absolute().parent for path in local]))
    return Path(found[0].checkpoint.name.partition("@")[0].replace("/", "--"))


def _tokens_of_log(metrics: Path) -> dict[int, int]:
    """Tokens seen after each logged step; empty without a log. A torn last line is what a killed run leaves."""
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
