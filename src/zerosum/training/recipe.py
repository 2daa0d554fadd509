"""The full description of a training run: every number that decides its result. Needs no torch.

A recipe is built by a function in `zerosum.recipes` and is saved beside the run as `recipe.yaml`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, PositiveInt, SerializeAsAny, ValidationError, model_validator

from zerosum.atomic import write_text
from zerosum.checkpoints.average_form import parse_average
from zerosum.errors import InputError
from zerosum.training.aggregator_settings import AggregatorSettings
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.aggregators.mean import MeanSettings
from zerosum.training.checkpoint_grid import CheckpointGrid, steps_per_decade
from zerosum.training.corpora import CORPORA
from zerosum.training.corpora.python import PythonSettings
from zerosum.training.corpus import CorpusSettings
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.objective_settings import ObjectiveSettings
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.objectives.cross_entropy import CrossEntropySettings
from zerosum.training.optimizer_settings import OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.schedule_settings import ScheduleSettings
from zerosum.training.schedules import SCHEDULES
from zerosum.training.schedules.constant import ConstantSettings
from zerosum.training.settings import Part, as_sentence, first_problem, kind_reader


class BatchRecipe(Part):
    """The batch of an update: `sequences` windows of `length` predicted tokens each.

    passes: forward and backward passes in which each process computes its share (gradient accumulation). They change
    the memory used and not the update: every predicted token of the batch has the same weight.

    >>> BatchRecipe().tokens
    2048
    """

    sequences: PositiveInt = 32
    length: PositiveInt = 64
    passes: PositiveInt = 1

    @property
    def tokens(self) -> int:
        """Predicted tokens in one batch."""
        return self.sequences * self.length


class StartRecipe(Part):
    """Where a run starts instead of at random weights.

    checkpoint: the folder or hub name of a model. branch: continue its full state (optimizer, random generators, order
    of the data) from its step on, instead of starting anew from its weights. step, tokens: updates and tokens before a
    branch.
    """

    checkpoint: str
    branch: bool = False
    step: int = Field(default=0, ge=0)
    tokens: int = Field(default=0, ge=0)


def _averages(value: Any) -> Any:
    """Names of averages, from a list or from a text with commas between them."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError("write a list of averages, as [last:64, ema:0.995]")
    try:
        forms = [parse_average(name) for name in names if name.strip()]
    except InputError as error:
        raise ValueError(str(error)) from error
    if any(form.steps for form in forms):
        raise ValueError("a list of steps is made of saved checkpoints. Write last:K or ema:BETA")
    return tuple(dict.fromkeys(form.text for form in forms))


DEFAULT_OPTIMIZER = AdamWSettings(lr=5e-4, betas=(0.9, 0.95), weight_decay=0.1)
"""What a recipe trains with unless it says otherwise."""

Optimizer = Annotated[SerializeAsAny[OptimizerSettings], BeforeValidator(kind_reader(OPTIMIZERS, DEFAULT_OPTIMIZER))]
Objective = Annotated[
    SerializeAsAny[ObjectiveSettings], BeforeValidator(kind_reader(OBJECTIVES, CrossEntropySettings()))
]
Aggregator = Annotated[SerializeAsAny[AggregatorSettings], BeforeValidator(kind_reader(AGGREGATORS, MeanSettings()))]
Schedule = Annotated[SerializeAsAny[ScheduleSettings], BeforeValidator(kind_reader(SCHEDULES, ConstantSettings()))]
Averages = Annotated[tuple[str, ...], BeforeValidator(_averages)]
Data = Annotated[SerializeAsAny[CorpusSettings], BeforeValidator(kind_reader(CORPORA, PythonSettings()))]


class Recipe(Part):
    """A full training run. The same recipe on the same machine gives the same numbers, bit for bit.

    name: of the run in tables and figures. seed: of initial weights and of batches. steps: number of optimizer updates,
    those before a branch included. start: where the run starts instead of at random weights. held_out: sequences of
    held-out text whose mean loss is logged at each checkpoint; 0 for none. held_out_per_decade: it is also logged at so
    many steps between t and 10 t, evenly spaced in their logarithm; from 20 on, the held-out loss is the curve that is
    fitted (see `zerosum.curves.held_out`). averages: of weights, written with each checkpoint: "last:64" for the mean
    of the last 64 iterates, "ema:0.995" for an EMA (see `training.averages`). resume_every: a killed run loses at most
    this many steps. threads: CPU threads of each process; recorded because the order in which threads add numbers
    changes the last digits. Several runs train faster in parallel with one thread each than one after the other with
    more threads (see `side_by_side`). device: "cpu", or "auto" for the device that accelerate selects.
    mixed_precision: forward pass in float32 ("no") or bfloat16. sharding: how several processes share the model: each
    has all of it ("none"), or a part ("fsdp"). compile, activation_checkpointing: of the model, by torch.
    """

    name: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0)
    steps: PositiveInt
    model: ModelRecipe = ModelRecipe()
    data: Data = PythonSettings()
    batch: BatchRecipe = BatchRecipe()
    optimizer: Optimizer = DEFAULT_OPTIMIZER
    objective: Objective = CrossEntropySettings()
    aggregator: Aggregator = MeanSettings()
    schedule: Schedule = ConstantSettings()
    start: StartRecipe | None = None
    checkpoints: CheckpointGrid = CheckpointGrid()
    held_out: int = Field(default=0, ge=0)
    held_out_per_decade: int = Field(default=0, ge=0)
    averages: Averages = ()
    resume_every: PositiveInt = 256
    threads: PositiveInt = 1
    device: Literal["cpu", "auto"] = "cpu"
    mixed_precision: Literal["no", "bf16"] = "no"
    sharding: Literal["none", "fsdp"] = "none"
    compile: bool = False
    activation_checkpointing: bool = False

    @model_validator(mode="after")
    def _values_fit_together(self) -> "Recipe":
        if self.optimizer.lr == 0:
            raise ValueError("optimizer.lr 0 trains nothing: it must be above 0")
        if self.steps <= self.first_step:
            raise ValueError(f"steps {self.steps}: the branch starts at step {self.first_step}, so it needs more")
        self.schedule.require_fit(self.steps)
        self.aggregator.require_fit(self.batch.sequences, self.sharding)
        if self.sharding == "fsdp" and self.optimizer.sharded:
            raise ValueError(
                f"sharding fsdp does not go with optimizer.kind {self.optimizer.kind}: {self.optimizer.sharded}. "
                "Choose sharding none or another optimizer"
            )
        if self.averages and self.sharding == "fsdp":
            raise ValueError(
                "averages do not go with sharding fsdp, where each process has a part of the weights. Choose sharding "
                "none, or average saved checkpoints (--average last:K)"
            )
        kinds = self.optimizer.schedules
        if kinds is not None and self.schedule.kind not in kinds:
            raise ValueError(
                f"schedule.kind {self.schedule.kind}: optimizer {self.optimizer.kind} takes only {', '.join(kinds)}"
            )
        return self

    @property
    def first_step(self) -> int:
        """Step of the checkpoint that the run starts with: 0, or that of its branch."""
        return self.start.step if self.start and self.start.branch else 0

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """Steps at which a checkpoint is saved: the first and the last of the run, and those of the grid between.

        >>> Recipe(name="a", steps=6).checkpoint_steps
        (0, 1, 2, 4, 6)
        """
        return self.checkpoints.steps(self.first_step, self.steps)

    @property
    def held_out_steps(self) -> frozenset[int]:
        """Steps after which the held-out loss is logged; none where `held_out` is 0.

        >>> sorted(Recipe(name="a", steps=20, held_out=1, held_out_per_decade=2).held_out_steps)
        [0, 1, 2, 3, 4, 8, 10, 16, 20]
        """
        if not self.held_out:
            return frozenset()
        return frozenset(self.checkpoint_steps) | steps_per_decade(self.held_out_per_decade, self.steps)

    def tokens_seen(self, step: int) -> int:
        """Predicted tokens of all updates up to `step`, those before a branch included."""
        before = self.start.tokens if self.start and self.start.branch else 0
        return before + (step - self.first_step) * self.batch.tokens

    def learning_rate(self, step: int) -> float:
        """Learning rate of update `step`, 1 being the first."""
        return self.optimizer.lr * self.schedule.factor(step, self.steps)

    def save(self, path: Path) -> None:
        """Write every value as YAML, defaults included."""
        write_text(path, self.to_yaml())

    def to_yaml(self) -> str:
        """Every value, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    @classmethod
    def read(cls, values: Any, source: str) -> "Recipe":
        """A recipe from what a YAML file holds. Raises InputError that names `source` where it is no recipe."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(f"{source}: {as_sentence(first_problem(error, cls))}") from error

    @classmethod
    def load(cls, path: Path, remedy: str = "Choose another run folder.") -> "Recipe":
        """Read a file that `save` wrote, also in earlier versions. Raises InputError where it is no recipe."""
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise InputError(f"{path}: not a recipe: {as_sentence(first_problem(error, cls))} {remedy}") from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            cause = " ".join(str(error).split())
            raise InputError(f"{path}: cannot be read as a recipe ({cause}). {remedy}") from error

    def flat(self) -> dict[str, Any]:
        """Every value by its name with dots, such as optimizer.lr."""
        return flat_values(self.model_dump())

    def differences(self, other: "Recipe") -> list[str]:
        """Each value in which two recipes differ, as "name: value here, not value there".

        >>> Recipe(name="a", steps=6).differences(Recipe(name="a", steps=8))
        ['steps: 6, not 8']
        """
        here, there = self.flat(), other.flat()
        names = dict.fromkeys([*here, *there])
        absent = "not set"
        return [
            f"{name}: {here.get(name, absent)}, not {there.get(name, absent)}"
            for name in names
            if here.get(name, absent) != there.get(name, absent)
        ]


def flat_values(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Values of nested mappings by dotted name.

    >>> flat_values({"batch": {"length": 64}, "steps": 8})
    {'batch.length': 64, 'steps': 8}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flat_values(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
