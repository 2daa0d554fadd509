"""The file of a sweep, and the runs that it asks for. Loads no torch unless a model's family is changed.

recipes: [tiny_25k, mine.yaml]      # names, or files beside this one
seeds: [0, 1, 2]
set: {steps: 1024}                  # for every run
grid: {optimizer.lr: [1e-3, 2e-3]}  # every combination
slurm: {partition: gpu, minutes: 600, gpus: 8}
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError

from zerosum.errors import InputError
from zerosum.recipes import find_recipe
from zerosum.training.changes import label, plain_value, with_changes
from zerosum.training.recipe import Recipe
from zerosum.training.settings import Part, first_problem

MOST_RUNS = 10_000


class SlurmSettings(Part):
    """What each run asks of SLURM. minutes: time limit. gpus: on each node, a process for each; 0 for one process.

    cpus: of each process. more: further options of sbatch by name, such as account or qos.
    """

    partition: str = ""
    minutes: PositiveInt = 60
    nodes: PositiveInt = 1
    gpus: NonNegativeInt = 0
    cpus: PositiveInt = 2
    memory_gb: PositiveInt | None = None
    more: dict[str, str | int] = Field(default_factory=dict)


def slurm_settings(changes: Iterable[str]) -> SlurmSettings:
    """Settings from texts NAME=VALUE. Raises InputError for an unknown name or an impossible value.

    >>> slurm_settings(["partition=gpu", "more.account=lab"]).more
    {'account': 'lab'}
    """
    values: dict[str, Any] = {"more": {}}
    for text in changes:
        name, _, value = text.partition("=")
        place = values["more"] if name.startswith("more.") else values
        place[name.removeprefix("more.")] = int(value) if value.isdecimal() else value
    try:
        return SlurmSettings.model_validate(values)
    except ValidationError as error:
        raise InputError(f"--slurm: {first_problem(error, SlurmSettings)}. Write for example partition=gpu.") from error


class _File(Part):
    """The file as it is written."""

    recipes: list[str] = Field(min_length=1)
    seeds: list[NonNegativeInt] = Field(default=[0], min_length=1)
    set: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    slurm: SlurmSettings = SlurmSettings()


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep. folder: its run directory. source: the recipe as the file names it. changes: of the grid."""

    folder: Path
    recipe: Recipe
    source: str
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep. out: the folder in which their run directories lie."""

    out: Path
    runs: tuple[SweptRun, ...]
    slurm: SlurmSettings


def read_plan(file: Path, out: Path | None = None) -> Plan:
    """The runs that a file asks for, the grid's last value changing first. out: None means runs/NAME-OF-FILE.

    Raises InputError where the file cannot be read, asks for an impossible run, or for one run twice.
    """
    content = _read(file)
    folder = (out or Path("runs") / file.stem).expanduser()
    runs = []
    names, choices = list(content.grid), list(content.grid.values())
    every = {name: plain_value(value) for name, value in content.set.items()}
    number = len(content.recipes) * len(content.seeds) * math.prod(map(len, choices))
    if number > MOST_RUNS:
        raise InputError(f"{file}: {number:,} runs, more than {MOST_RUNS:,}. Split the file.")
    for source, values, seed in itertools.product(content.recipes, itertools.product(*choices), content.seeds):
        changes = {name: plain_value(value) for name, value in zip(names, values, strict=True)}
        runs.append(_run(file, folder, source, every, changes, seed))
    repeated = [name for name, number in Counter(run.folder.name for run in runs).items() if number > 1]
    if repeated:
        raise InputError(f"{file}: asks for {repeated[0]} more than once. Take the repeated value or recipe out.")
    return Plan(folder, tuple(runs), content.slurm)


def _run(file: Path, out: Path, source: str, every: dict[str, Any], changes: dict[str, Any], seed: int) -> SweptRun:
    beside = file.parent / source
    try:
        base = find_recipe(str(beside) if beside.is_file() else source)
        name = f"{base.name}-{label(changes)}" if changes else base.name
        recipe = with_changes(base, {**every, **changes, "seed": seed, "name": name})
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    return SweptRun(out / f"{label({name: ''}).rstrip('=')}-seed{seed}", recipe, source, changes)


def _read(file: Path) -> _File:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: cannot be read as a sweep ({cause}). Give YAML with recipes: [...].") from error
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{file}: no sweep: {first_problem(error, _File)}.") from error
