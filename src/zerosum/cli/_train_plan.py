"""The recipe and the run directory that the options of `zerosum train` ask for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerosum.cli._train_data import data_changes, data_label
from zerosum.cli.train_options import Choices
from zerosum.errors import InputError
from zerosum.recipes import find_recipe
from zerosum.training.branch import branch, cooldown, model_of
from zerosum.training.changes import label, parse_changes, with_changes
from zerosum.training.recipe import Recipe, StartRecipe

_SCHEDULED = ("steps", "schedule")


def plan(name_or_file: str | None, out: Path | None, choices: Choices) -> tuple[Recipe, Path]:
    """The recipe with its changes, and its run directory.

    Raises InputError where options exclude each other, there is no such recipe, or a change is not possible.
    """
    changes = parse_changes(choices.changes or [])
    _require_compatible(name_or_file, choices, changes)
    base = _start(name_or_file, choices)
    differing = [label(part) for part in (data_label(choices.data or []), changes) if part]
    own = {} if choices.seed is None else {"seed": choices.seed}
    changes = {"name": ", ".join([base.name, *differing]), **changes, **own}
    named = with_changes(base, {name: changes[name] for name in ("name", "seed") if name in changes})
    run = (out or default_folder(named)).expanduser()
    data = data_changes(choices.data, run) if choices.data else {}
    return with_changes(base, {**data, **changes}), run


def default_folder(recipe: Recipe) -> Path:
    """Where a run lies that has no folder of its own: runs/NAME, runs/NAME-seedN for other seeds than 0."""
    name = re.sub(r"[^\w.=,+-]+", "-", recipe.name.replace(", ", "-"), flags=re.ASCII).strip("-.")
    return Path("runs") / ((name or "run") + (f"-seed{recipe.seed}" if recipe.seed else ""))


def _require_compatible(name_or_file: str | None, choices: Choices, changes: Mapping[str, Any]) -> None:
    """Raise InputError for options that exclude each other."""
    excluding = (
        (choices.branch and name_or_file, "--branch and RECIPE", "A branch has the recipe of its run"),
        (choices.branch and choices.checkpoint, "--branch and --from", "A branch continues the state of its own run"),
        (choices.branch and choices.data, "--branch and --data", "A branch continues the order of its data"),
        (choices.seed is not None and "seed" in changes, "--seed and --set seed=...", "Both give the seed"),
        (
            choices.data and {"data.kind", "data.folder"} & changes.keys(),
            "--data and --set data.folder=...",
            "Both give the data",
        ),
        (choices.checkpoint and _of("model", changes), "--from and --set model...", "The checkpoint has its sizes"),
        (choices.cooldown and _of(_SCHEDULED, changes), "--cooldown and --set schedule... or steps", "Both give them"),
    )
    for excluded, options, reason in excluding:
        if excluded:
            raise InputError(f"{options} exclude each other. {reason}: leave one out.")
    if choices.cooldown and not choices.branch:
        raise InputError("--cooldown: only with --branch RUN@STEP, which says what is cooled down.")
    if not (name_or_file or choices.branch):
        raise InputError("no recipe. Name one, as in zerosum train tiny_25k; zerosum train --list shows all.")


def _of(parts: str | tuple[str, ...], changes: Mapping[str, Any]) -> list[str]:
    parts = (parts,) if isinstance(parts, str) else parts
    return [name for name in changes if name.split(".")[0] in parts]


def _start(name_or_file: str | None, choices: Choices) -> Recipe:
    """The recipe before its changes: named, of a branch, or with the model of a checkpoint."""
    if choices.branch:
        return _branch(choices.branch, choices.cooldown)
    recipe = find_recipe(name_or_file or "")
    if not choices.checkpoint:
        return recipe
    start = StartRecipe(checkpoint=choices.checkpoint)
    return recipe.model_copy(update={"model": model_of(choices.checkpoint), "start": start})


def _branch(text: str, share: str | None) -> Recipe:
    run, _, step = text.rpartition("@")
    if not (run and re.fullmatch("[0-9]+", step)):
        raise InputError(f"--branch {text}: not RUN@STEP. Write for example --branch runs/tiny_25k@1024.")
    recipe = branch(Path(run).expanduser(), int(step))
    if share is None:
        return recipe
    return cooldown(recipe, _share(share)).model_copy(update={"name": f"{recipe.name}, cooldown {share}"})


def _share(text: str) -> float:
    number = re.fullmatch(r"([0-9]*\.?[0-9]+)(%?)", text.strip())
    share = float(number[1]) / (100 if number[2] else 1) if number else 0.0
    if not 0 < share <= 1:
        raise InputError(f"--cooldown {text}: not a share above 0 and up to 100%. Write for example --cooldown 20%.")
    return share
