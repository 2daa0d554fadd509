"""Reads the declaration of a bench from its file, or from the command line. Loads no torch."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from zerosum.atomic import write_text
from zerosum.bench.arms import ArmChanges, arm_changes, changed, require_method, tuned_alike
from zerosum.bench.declaration import BASELINE, BIGRAM, HALF_RATE, PLACEBO, Declaration
from zerosum.errors import InputError
from zerosum.recipes import find_recipe
from zerosum.training.changes import plain_value, with_changes
from zerosum.training.recipe import Recipe
from zerosum.training.settings import Part, first_problem

FILE = "bench.yaml"
RESERVED = (BASELINE, PLACEBO, HALF_RATE, BIGRAM)
"""Names that an arm cannot have: those of the baseline and the null arms."""


class _File(Part):
    """The parts of the file that are resolved before the rest is read."""

    recipe: str | None = None
    recipes: list[str] | dict[str, dict[str, Any]] | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    arms: dict[str, Any] | list[str] = Field(default_factory=dict)


def read_declaration(file: Path) -> Declaration:
    """The declaration of a file. Raises InputError where it cannot be read or declares something impossible."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: cannot be read as a bench ({cause}). Give YAML with recipes: and arms:.") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: no bench: not a mapping. Give YAML with recipes: and arms:.")
    return declared(content, str(file), file.parent)


def declared(content: dict[str, Any], source: str, folder: Path | None = None) -> Declaration:
    """The declaration of what a file holds. source: how errors name it. folder: in which its recipes are looked for.

    Raises InputError.
    """
    resolved = {name for name in _File.model_fields}
    try:
        file = _File.model_validate({name: value for name, value in content.items() if name in resolved})
    except ValidationError as error:
        raise InputError(f"{source}: no bench: {first_problem(error, _File)}.") from error
    rest = {name: plain_value(value) for name, value in content.items() if name not in resolved}
    try:
        recipes = _recipes(file, folder)
        own_set = {name: plain_value(value) for name, value in file.set.items()}
        arms = _arms(file.arms, recipes, folder, own_set)
        read = Declaration.model_validate({"recipes": recipes, "arms": arms, **rest})
        return read.model_copy(update={"recipes": {name: _measured(read, name) for name in recipes}})
    except ValidationError as error:
        raise InputError(f"{source}: no bench: {first_problem(error, Declaration)}.") from error
    except InputError as error:
        raise InputError(f"{source}: {error}") from error


def _recipes(file: _File, folder: Path | None) -> dict[str, Recipe]:
    changes = {name: plain_value(value) for name, value in file.set.items()}
    if isinstance(file.recipes, dict):
        needed = {"steps": changes["steps"]} if "steps" in changes else {}  # no recipe can be read without
        given = {name: Recipe.read({"name": name, **needed, **values}, name) for name, values in file.recipes.items()}
    else:
        names = file.recipes or ([file.recipe] if file.recipe else [])
        given = {}
        for name in names:
            recipe = find_recipe(_beside(name, folder))
            if recipe.name in given:
                raise InputError(f"recipes: {recipe.name} comes twice. Give each size a name.")
            given[recipe.name] = recipe
    if not given:
        raise InputError("no recipe. Give recipes: [tiny_25k] or a file.")
    return {name: with_changes(recipe, changes) if changes else recipe for name, recipe in given.items()}


def _arms(
    given: dict[str, Any] | list[str], sizes: dict[str, Recipe], folder: Path | None, own_set: dict[str, Any]
) -> dict[str, dict[str, ArmChanges]]:
    """Changes by the arm's name and the size, complete, and alike however they were written."""
    arms: dict[str, dict[str, ArmChanges]] = {}
    entries = given.items() if isinstance(given, dict) else [(text.partition(":")[0], text) for text in given]
    for name, value in entries:
        if name in RESERVED:
            raise InputError(f"arm {name}: this name is taken by what every bench has. Give the arm another name.")
        if name in arms:
            raise InputError(f"arm {name}: comes twice. Give each arm a name: arms: {{{name}: ..., other: ...}}.")
        by_size = value if isinstance(value, dict) and value.keys() == sizes.keys() else dict.fromkeys(sizes, value)
        arms[name] = {}
        for size, recipe in sizes.items():
            one = by_size[size]
            changes = arm_changes(_beside(one, folder) if isinstance(one, str) else one, recipe, own_set)
            require_method(name, changes)
            arms[name][size] = changed(with_changes(recipe, changes), recipe)
            if not arms[name][size]:
                raise InputError(f"arm {name}: changes nothing of the baseline. Give it changes, or take it out.")
            if not changed(tuned_alike(with_changes(recipe, changes), recipe), recipe):
                raise InputError(
                    f"arm {name}: changes only {_listed(arms[name][size])}: every arm is tuned over the rate, with the "
                    "baseline's product of rate and decay. Give it other changes, or take it out."
                )
    return arms


def _listed(changes: ArmChanges) -> str:
    return " and ".join(changes)


def _beside(name: str, folder: Path | None) -> str:
    beside = folder / name if folder and name.lower().endswith((".yaml", ".yml")) else None
    return str(beside) if beside and beside.is_file() else name


def _measured(declaration: Declaration, name: str) -> Recipe:
    """The baseline of a size as it is trained: at constant rate, measured as declared."""
    recipe = declaration.recipes[name]
    if recipe.schedule.kind != "constant":
        raise InputError(
            f"{name}: schedule {recipe.schedule.kind}: a trunk has a constant rate, and a branch cools it down. Set "
            "schedule.kind: constant."
        )
    if recipe.start is not None:
        raise InputError(f"{name}: starts from {recipe.start.checkpoint}: runs of a bench start anew. Take start out.")
    _require_full_rate(name, recipe, declaration)
    for arm, by_size in declaration.arms.items():
        _require_full_rate(f"arm {arm}, {name}", with_changes(recipe, by_size[name]), declaration)
    also = {round(multiple * recipe.steps) for multiple in declaration.speed_up if multiple < 1}
    return with_changes(
        recipe,
        {
            "name": name,
            "seed": 0,
            "held_out": declaration.held_out,
            "held_out_per_decade": declaration.held_out_per_decade,
            "averages": list(declaration.averages) if declaration.measured else [],
            "checkpoints.per_doubling": declaration.per_doubling,
            "checkpoints.also": sorted(also),
        },
    )


def _require_full_rate(name: str, recipe: Recipe, declaration: Declaration) -> None:
    short = max(1, round(declaration.tuning_share * recipe.steps))
    if recipe.schedule.warmup_steps >= short:
        raise InputError(
            f"{name}: schedule.warmup_steps {recipe.schedule.warmup_steps} is not below the {short} updates of a "
            "tuning run: the full rate is never reached. Shorten the warm-up, or lengthen the horizon or tuning_share."
        )


def require_own_folder(declaration: Declaration, folder: Path) -> None:
    """Raise InputError where the folder holds a bench of another declaration, with the first difference."""
    file = folder / FILE
    if file.exists() and (before := read_declaration(file)).hash != declaration.hash:
        raise InputError(
            f"{folder}: holds a bench of another declaration ({_first_difference(before, declaration)}). Give another "
            "--out: runs that both share are not trained again."
        )


def write_declaration(declaration: Declaration, folder: Path) -> None:
    """Write bench.yaml into the folder of a bench, where it is not there yet."""
    if not (folder / FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / FILE, declaration.to_yaml())


def _first_difference(before: Declaration, now: Declaration) -> str:
    old, new = before.model_dump(mode="json"), now.model_dump(mode="json")
    for name in old:
        if old[name] == new[name] or name == "slurm":
            continue
        if not isinstance(old[name], dict):
            return f"{name}: {old[name]} there, {new[name]} now"
        inner = next(key for key in [*old[name], *new[name]] if old[name].get(key) != new[name].get(key))
        if name == "recipes" and inner in old[name] and inner in new[name]:
            return f"{inner}: {before.recipes[inner].differences(now.recipes[inner])[0]} now"
        return f"{name}.{inner}: {old[name].get(inner, 'absent')} there, {new[name].get(inner, 'absent')} now"
    return "other values"
