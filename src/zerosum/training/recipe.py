"""The full description of a training run: every number that decides its result. Needs no torch.

A recipe is built by a function in `zerosum.recipes`, never from flags, and is saved beside the run as `recipe.yaml`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    model_validator,
)

from zerosum.atomic import write_text
from zerosum.errors import InputError
from zerosum.training.optimizer_settings import OptimizerSettings, first_problem
from zerosum.training.optimizers import settings_class
from zerosum.training.optimizers.adamw import AdamWSettings


class _Part(BaseModel):
    """Frozen, so that a recipe can be a dictionary key; unknown names are errors, so that no typo is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelRecipe(_Part):
    """A Llama-style decoder: RMSNorm, rotary positions, SwiGLU, no biases.

    hidden_size: width of the residual stream. layers, heads: counts; heads divide the width into even parts.
    intermediate_size: width inside the MLP. vocabulary: number of token ids. context: longest sequence, in tokens.
    tied_embeddings: the head is the embedding matrix. initial_std: of the random matrices and embeddings.

    >>> ModelRecipe(hidden_size=64, layers=2, heads=2, intermediate_size=132).n_parameters
    100224
    """

    hidden_size: PositiveInt = 64
    layers: PositiveInt = 2
    heads: PositiveInt = 2
    intermediate_size: PositiveInt = 132
    vocabulary: PositiveInt = 257
    context: PositiveInt = 64
    tied_embeddings: bool = True
    initial_std: PositiveFloat = 0.02

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "ModelRecipe":
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size {self.hidden_size} is not an even multiple of heads {self.heads}")
        return self

    @property
    def n_parameters(self) -> int:
        """Number of trainable parameters, embeddings and head included (a tied matrix counts once)."""
        width = self.hidden_size
        layer = 4 * width * width + 3 * width * self.intermediate_size + 2 * width
        embeddings = self.vocabulary * width * (1 if self.tied_embeddings else 2)
        return embeddings + self.layers * layer + width


class DataRecipe(_Part):
    """The text to train on, and how its files are split.

    folder: contains the `.py` files; None means the standard library of the running Python.
    held_out_share: share of the files that is held out from training, in (0, 1).
    """

    folder: str | None = None
    held_out_share: float = Field(default=0.15, gt=0, lt=1)


class BatchRecipe(_Part):
    """One batch: `sequences` windows of `length` predicted tokens each.

    >>> BatchRecipe().tokens
    2048
    """

    sequences: PositiveInt = 32
    length: PositiveInt = 64

    @property
    def tokens(self) -> int:
        """Predicted tokens in one batch."""
        return self.sequences * self.length


DEFAULT_OPTIMIZER = AdamWSettings(lr=5e-4, betas=(0.9, 0.95), weight_decay=0.1)
"""What a recipe trains with unless it says otherwise."""


def _read_optimizer(value: Any) -> Any:
    """Settings of the optimizer that is named.

    Values without a name replace values of the default optimizer: recipes saved before optimizers had names are of
    this form.
    """
    if not isinstance(value, Mapping):
        return value
    given = value if "name" in value else {**DEFAULT_OPTIMIZER.model_dump(), **value}
    try:
        return settings_class(str(given["name"])).model_validate(given)
    except ValidationError as error:
        raise ValueError(first_problem(error)) from error


class ScheduleRecipe(_Part):
    """Linear warm-up, then a constant rate. warmup_steps: number of updates below the full rate."""

    warmup_steps: int = Field(default=1, ge=0)

    def factor(self, step: int) -> float:
        """Learning rate of update `step` (1 is the first) as a share of the full rate, in (0, 1].

        >>> [ScheduleRecipe(warmup_steps=1).factor(step) for step in (1, 2, 3)]
        [0.5, 1.0, 1.0]
        """
        return min(1.0, step / (self.warmup_steps + 1))


class Recipe(_Part):
    """A full training run. The same recipe on the same machine gives the same numbers, bit for bit.

    name: of the run in tables and figures. seed: of initial weights and of batches. steps: number of optimizer updates.
    optimizer: settings, or a mapping with the optimizer's name and settings. resume_every: a killed run loses at most
    this many steps. threads: CPU threads of each process; recorded because the order in which threads add numbers
    changes the last digits. Several runs train faster in parallel with one thread each than one after the other with
    more threads (see `side_by_side`). device: "cpu", or "auto" for the device that accelerate selects.
    mixed_precision: forward pass in float32 ("no") or bfloat16.
    """

    name: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0)
    steps: PositiveInt
    model: ModelRecipe = ModelRecipe()
    data: DataRecipe = DataRecipe()
    batch: BatchRecipe = BatchRecipe()
    optimizer: Annotated[SerializeAsAny[OptimizerSettings], BeforeValidator(_read_optimizer)] = DEFAULT_OPTIMIZER
    schedule: ScheduleRecipe = ScheduleRecipe()
    resume_every: PositiveInt = 256
    threads: PositiveInt = 1
    device: Literal["cpu", "auto"] = "cpu"
    mixed_precision: Literal["no", "bf16"] = "no"

    @model_validator(mode="after")
    def _values_fit_together(self) -> "Recipe":
        if self.optimizer.lr == 0:
            raise ValueError("optimizer.lr 0 trains nothing: it must be above 0")
        if self.batch.length > self.model.context:
            raise ValueError(f"batch.length {self.batch.length} is longer than model.context {self.model.context}")
        if self.model.vocabulary < 257:
            raise ValueError(f"model.vocabulary {self.model.vocabulary} is below 257 (256 bytes and end of document)")
        return self

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """Steps at which a checkpoint is saved: 0, the powers of two, and the last step.

        >>> Recipe(name="a", steps=6).checkpoint_steps
        (0, 1, 2, 4, 6)
        """
        powers = {1 << k for k in range(self.steps.bit_length())}
        return tuple(sorted({0, *powers, self.steps}))

    def learning_rate(self, step: int) -> float:
        """Learning rate of update `step`, 1 being the first."""
        return self.optimizer.lr * self.schedule.factor(step)

    def save(self, path: Path) -> None:
        """Write every value as YAML, defaults included."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True))

    @classmethod
    def load(cls, path: Path) -> "Recipe":
        """Read a file that `save` wrote, also in earlier versions. Raises InputError where it is no recipe."""
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise InputError(f"{path}: not a recipe: {first_problem(error)}. Choose another run folder.") from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            cause = " ".join(str(error).split())
            raise InputError(f"{path}: cannot be read as a recipe ({cause}). Choose another run folder.") from error

    def differences(self, other: "Recipe") -> list[str]:
        """Each value in which two recipes differ, as "name: value here, not value there".

        >>> Recipe(name="a", steps=6).differences(Recipe(name="a", steps=8))
        ['steps: 6, not 8']
        """
        here, there = _flat(self.model_dump()), _flat(other.model_dump())
        shared = [name for name in here if name in there]  # settings of one optimizer only: the names differ too
        return [f"{name}: {here[name]}, not {there[name]}" for name in shared if here[name] != there[name]]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
