"""What a bench compares, declared before it runs; its hash is in every result. Loads no torch.

recipes: [tiny_25k, tiny_100k]         # the baseline: names or files, a size each
set: {steps: 65536, optimizer.lr: 1e-3}  # for every arm
arms:
  muon: {optimizer.kind: muon, optimizer.lr: 0.02, optimizer.adamw_lr: 1e-3}
  cautious: {optimizer.kind: cautious_adamw}
seeds: 6                               # reporting seeds 0 to 5
rates: 5                               # for every arm, a factor of 2 apart
"""

import hashlib
import json
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from zerosum.bench.arms import ArmChanges
from zerosum.sweep.plan import SlurmSettings
from zerosum.training.recipe import Recipe
from zerosum.training.settings import Part

FIRST_TUNING_SEED = 1_000
BASELINE, PLACEBO, HALF_RATE, BIGRAM = "baseline", "placebo", "half-rate", "bigram"
NullArm = Literal["placebo", "half-rate", "bigram"]


def _seeds(value: Any) -> Any:
    return tuple(range(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _tuning_seeds(value: Any) -> Any:
    seeds = _seeds(value)
    return tuple(FIRST_TUNING_SEED + seed for seed in seeds) if isinstance(value, int) and seeds is not value else value


Seeds = Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_seeds), Field(min_length=2)]
TuningSeeds = Annotated[tuple[NonNegativeInt, ...], BeforeValidator(_tuning_seeds), Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]


class Declaration(Part):
    """A bench. recipes: of the baseline, a size each: names, files, or whole recipes by name. set: values of every arm.

    arms: changes of the baseline by the arm's name and the size; in a file also the same changes for every size, an
    optimizer, objective or aggregator with settings ("rho1:k=0.6,reference=runs/a"), or the name or file of a recipe.
    seeds: that are reported, as many or by number;
    tuning_seeds: others. rates: learning rates of every arm, each twice the one before, around its own.
    tuning_share: of the horizon, the length of the first tuning runs. finalists: rates that are tuned over the whole
    horizon. cooldown: share of the horizon over which the rate then falls to 0. margin: differences of the loss up to
    it do not matter, nats per token. levels: losses, from high to low, between which movement is compared; without
    them, losses that the tuned baseline had on a tuning seed (see `preset_levels`). per_doubling: checkpoints in each
    doubling of the step. averages: of weights, which are measured beside the weights. held_out: sequences of the
    held-out loss that is logged while training, held_out_per_decade: how often. final_held_out: sequences of the loss
    after the cooldown, by which arms are tuned and compared: the most of so many, half of them, ... that the data have.
    measured: sequences whose tokens' losses are measured at each checkpoint, 0 for no movement. speed_up: multiples of
    the horizon at which the baseline is cooled.
    null_arms: that are added. keep_checkpoints: false removes those between the first and the last once they are
    measured. stopping: when the bench ends: after the declared seeds, whatever they show. slurm: what a job asks for.
    """

    recipes: dict[str, Recipe] = Field(min_length=1)
    arms: dict[str, dict[str, ArmChanges]] = Field(min_length=1)
    seeds: Seeds = tuple(range(6))
    tuning_seeds: TuningSeeds = (FIRST_TUNING_SEED,)
    rates: Annotated[int, Field(ge=3, le=15)] = 5
    tuning_share: Share = 0.25
    finalists: PositiveInt = 2
    cooldown: Share = 0.2
    margin: PositiveFloat = 0.005
    levels: tuple[PositiveFloat, ...] | None = None
    per_doubling: PositiveInt = 8
    averages: tuple[str, ...] = ("last:64",)
    held_out: PositiveInt = 128
    held_out_per_decade: NonNegativeInt = 60
    final_held_out: PositiveInt = 2_048
    measured: NonNegativeInt = 256
    speed_up: tuple[PositiveFloat, ...] = (0.5, 1.0, 1.5, 2.0)
    null_arms: tuple[NullArm, ...] = ("placebo", "half-rate", "bigram")
    primary: Literal["loss"] = "loss"
    stopping: Literal["fixed-seeds"] = "fixed-seeds"
    keep_checkpoints: bool = True
    slurm: SlurmSettings = SlurmSettings()

    @model_validator(mode="after")
    def _values_fit_together(self) -> "Declaration":
        if both := sorted(set(self.seeds) & set(self.tuning_seeds)):
            raise ValueError(f"tuning_seeds: {both[0]} is a reporting seed, too. Tune on other seeds")
        for name in ("seeds", "tuning_seeds", "speed_up", "levels"):
            values = getattr(self, name) or ()
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: a value is repeated. Give each once")
        if self.speed_up and 1.0 not in self.speed_up:
            raise ValueError("speed_up: the horizon itself, 1, is missing. Add it")
        if self.levels is not None and (len(self.levels) < 2 or list(self.levels) != sorted(self.levels, reverse=True)):
            raise ValueError(
                f"levels: {list(self.levels)} are not two or more falling losses. Give them from high to low"
            )
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of everything that decides a result; where jobs run does not."""
        values = self.model_dump(mode="json", exclude={"slurm"})
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def to_yaml(self) -> str:
        """Every value, with whole recipes; `reading.read_declaration` reads it again."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
