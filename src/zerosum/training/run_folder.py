"""The run directory: its recipe and text, the step to continue from, and the removal of incomplete files.

checkpoint-<s>/   weights and resume state after s updates: at 0, powers of two and the last step
resume-<s>/       the same every `resume_every` steps; only the newest exists, none in a finished run
metrics.jsonl     one row per update (see `metrics`)
recipe.yaml       the full recipe
data.json         hash and size of the text, and of the reference model of an objective
ngrams.json       losses of n-gram models of the text (see `ngrams`)
training.lock     while a process trains here
tokens/           token files, where the training data was a small text
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from zerosum import sharing
from zerosum.atomic import write_text
from zerosum.curves.folders import OUR_LOG
from zerosum.errors import InputError
from zerosum.runs import NGRAMS
from zerosum.training import metrics
from zerosum.training.recipe import Recipe

METRICS = OUR_LOG
RECIPE = "recipe.yaml"
DATA = "data.json"
LOCK = "training.lock"
TOKENS = "tokens"
_SAVED = re.compile(r"(checkpoint|resume)-(0|[1-9][0-9]*)")


def claim(run: Path, recipe: Recipe) -> None:
    """Save the recipe in an empty run directory, or check that the directory belongs to this recipe.

    Raises InputError where it contains a run of another recipe or anything else.
    """
    file = run / RECIPE
    if file.exists():
        differences = Recipe.load(file).differences(recipe)
        if differences:
            raise InputError(
                f"{run}: holds a run of another recipe ({'; '.join(differences[:3])}"
                f"{'; ...' if len(differences) > 3 else ''}). Choose another folder, or delete this one."
            )
    elif any(path.name not in (RECIPE + ".part", LOCK, TOKENS, f"{TOKENS}-all") for path in run.iterdir()):
        raise InputError(f"{run}: exists and holds something that is not a run. Choose another folder.")
    else:
        recipe.save(file)


def is_finished(run: Path, recipe: Recipe) -> bool:
    """Whether the last checkpoint and all rows of the log exist."""
    return (run / f"checkpoint-{recipe.steps}").is_dir() and logged_until(run, recipe) == recipe.steps


def logged_until(run: Path, recipe: Recipe) -> int:
    """The last step up to which every row of the log exists."""
    return recipe.first_step + len(metrics.read_rows(run / METRICS, recipe.first_step))


def newest(run: Path, recipe: Recipe) -> Path | None:
    """The newest saved state whose rows are all in the log; None where the run starts from the beginning."""
    rows = logged_until(run, recipe)
    steps = {folder: int(folder.name.split("-")[1]) for folder in _saved(run)}
    return max((folder for folder in steps if steps[folder] <= rows), key=steps.__getitem__, default=None)


def step_of(folder: Path) -> int | None:
    """The step of a checkpoint or resume state, by its name; None where the name does not state it."""
    name = _SAVED.fullmatch(folder.resolve().name)
    return int(name[2]) if name else None


def saved_at(run: Path, step: int) -> Path:
    """The checkpoint or resume state of a step. Raises InputError where there is none."""
    saved = {int(folder.name.split("-")[1]): folder for folder in _saved(run)} if run.is_dir() else {}
    if step not in saved:
        known = ", ".join(map(str, sorted(saved)))
        raise InputError(f"{run}@{step}: no state of this step is saved. Choose one of {known or 'another run'}.")
    return saved[step]


def require_checkpoints(run: Path, recipe: Recipe, until: int) -> None:
    """Raise InputError where a checkpoint of a step up to `until` is missing or has no weights."""
    for step in recipe.checkpoint_steps:
        folder = run / f"checkpoint-{step}"
        if step <= until and not (folder / "model.safetensors").is_file():
            raise InputError(
                f"{folder}: lost, or without model.safetensors. Copy it back, or delete {run} and start the same "
                "command again: this run is trained again."
            )


def record_data(run: Path, facts: dict[str, Any]) -> None:
    """Record hashes and sizes of what the run is trained on. Raises InputError where it began with other data."""
    file = run / DATA
    if not file.exists():
        write_text(file, json.dumps(facts, indent=2) + "\n")
        return
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file}: not JSON. Choose another run folder, or delete this one.") from error
    if recorded != facts:
        raise InputError(
            f"{run}: began with other data than those here now ({_first_difference(recorded, facts)}). "
            "Continue with the data of its recipe.yaml (and the same Python), or choose another folder."
        )


def _first_difference(recorded: Any, facts: dict[str, Any]) -> str:
    before = recorded if isinstance(recorded, dict) else {}
    name = next(name for name in [*facts, *before] if before.get(name) != facts.get(name))
    return f"{name}: {before.get(name)} then, {facts.get(name)} now"


def drop_resume_states(run: Path, *, before: int) -> None:
    """Remove resume states of steps below `before`."""
    for folder in _saved(run):
        kind, step = folder.name.split("-")
        if kind == "resume" and int(step) < before:
            shutil.rmtree(folder)


def sweep(run: Path) -> None:
    """Remove incomplete files and folders of a killed process."""
    for path in run.glob("*.part"):
        name = path.name.removesuffix(".part")
        if path.is_dir() and _SAVED.fullmatch(name):
            shutil.rmtree(path)
        elif name in (METRICS, RECIPE, DATA, NGRAMS):
            path.unlink()


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Turn a full disk or a missing permission into an InputError of one line; complete files stay usable."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{run}: cannot be written ({cause}). Free disk space or make it writable, then start the same command "
            "again: it continues."
        ) from error


@contextmanager
def locked(run: Path, patience: float = 10.0) -> Iterator[None]:
    """Lock the run directory against other processes; see `zerosum.sharing` for what holds on shared disks.

    patience: seconds to wait for the lock, because the worker of a killed command ends only at its next report.
    Raises InputError where another process still trains there after that.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(sharing.locked(run / LOCK, patience))
        except sharing.Busy as holder:
            raise InputError(f"{run}: another process is training here ({holder}). Wait for it or stop it.") from holder
        yield


def _saved(run: Path) -> list[Path]:
    return [path for path in run.iterdir() if _SAVED.fullmatch(path.name) and path.is_dir()]
