"""The runs that a bench needs, each in a folder that only its recipe decides. Loads no torch.

Runs lie in a pool beside the folder of the bench, so that benches of one baseline share its runs. A trunk has a
constant rate; a branch of it continues its state while the rate falls to 0. A tuning run is both in one run, which
gives the same weights, bit for bit.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from zerosum.bench.arms import at_rate, decay_product
from zerosum.bench.declaration import BASELINE, Declaration
from zerosum.bench.known import KnownRun
from zerosum.sweep.plan import Plan, SweptRun
from zerosum.training.changes import with_changes
from zerosum.training.recipe import Recipe
from zerosum.training.schedules.wsd import WSDSettings

POOL = "bench-runs"
PLACEBO_SEED = 1_000_000
"""Added to the seed of the batches of the placebo; the initial weights are the baseline's."""


@dataclass(frozen=True)
class Bench:
    """A declared bench and its folder. known: results of runs by name, which count where the run is not over."""

    declaration: Declaration
    folder: Path
    known: Mapping[str, KnownRun] = field(default_factory=dict)

    @cached_property
    def pool(self) -> Path:
        """The folder of all runs, which other benches beside this one share."""
        return self.folder.expanduser().absolute().parent / POOL

    def plan(self, runs: list[SweptRun]) -> Plan:
        """Runs as the sweep's engine takes them."""
        return Plan(self.pool, tuple(runs), self.declaration.slurm)

    def recipe(self, size: str, arm: str = BASELINE) -> Recipe:
        """The recipe of an arm as declared: before it is tuned, of seed 0."""
        baseline = self.declaration.recipes[size]
        return baseline if arm == BASELINE else with_changes(baseline, self.declaration.arms[arm][size])

    def at(self, size: str, arm: str, lr: float) -> Recipe:
        """An arm at a rate; the product of rate and decay is the declared baseline's."""
        return at_rate(self.recipe(size, arm), lr, decay_product(self.recipe(size)))

    def run(self, recipe: Recipe) -> SweptRun:
        """A recipe as a run of the pool, named by what it trains and its hash."""
        key = recipe_key(recipe)
        lr, kind = f"{recipe.optimizer.lr:.3g}", recipe.optimizer.kind
        name = f"{kind}-lr{lr}-seed{recipe.seed}-{recipe.steps}-{key}"
        return SweptRun(self.pool / name, recipe.model_copy(update={"name": name}), recipe.name)

    def tuning_run(self, recipe: Recipe, seed: int, full: bool) -> SweptRun:
        """An arm at its rate: constant over the horizon or its declared share, then falling to 0."""
        declared = self.declaration
        steps = recipe.steps if full else max(1, round(declared.tuning_share * recipe.steps))
        changed = recipe.model_copy(
            update={
                "seed": seed,
                "steps": steps + self.cooldown_steps(steps),
                "optimizer": recipe.optimizer.for_run(steps),
                "averages": (),
                "held_out_per_decade": 0,
                "checkpoints": type(recipe.checkpoints)(),
            }
        )
        return self.run(self._cooled(changed, self.cooldown_steps(steps)))

    def trunk(self, recipe: Recipe, seed: int) -> SweptRun:
        """A reporting seed of an arm at its rate, constant over the horizon."""
        return self.run(recipe.model_copy(update={"seed": seed}))

    def placebo(self, baseline: SweptRun) -> SweptRun:
        """A trunk of the baseline from the same initial weights on another order of the data."""
        recipe = _branch(baseline, 0)
        return self.run(recipe.model_copy(update={"seed": baseline.recipe.seed + PLACEBO_SEED}))

    def extension(self, trunk: SweptRun, multiple: float) -> SweptRun:
        """The trunk, continued at its rate to a multiple of the horizon above 1, with a checkpoint at each of them."""
        steps = trunk.recipe.steps
        ends = [round(m * steps) for m in self.declaration.speed_up if m > 1]
        grid = trunk.recipe.checkpoints.model_copy(update={"per_doubling": 1, "also": tuple(sorted(ends))})
        longer = {"steps": round(multiple * steps), "checkpoints": grid, "averages": ()}
        return self.run(_branch(trunk, steps).model_copy(update=longer))

    def cooled(self, trunk: SweptRun, step: int) -> SweptRun:
        """The branch of a run at a checkpoint in which the rate falls to 0; at constant rate where the optimizer takes
        no such schedule.
        """
        recipe = _branch(trunk, step)
        grid = recipe.checkpoints.model_copy(update={"per_doubling": 1, "also": ()})
        more = self.cooldown_steps(step)
        shorter = {"steps": step + more, "checkpoints": grid, "averages": (), "held_out_per_decade": 0}
        return self.run(self._cooled(recipe.model_copy(update=shorter), more))

    def cooldown_steps(self, steps: int) -> int:
        """Updates of the cooldown after so many."""
        return max(1, round(self.declaration.cooldown * steps))

    @staticmethod
    def _cooled(recipe: Recipe, decay_steps: int) -> Recipe:
        takes = recipe.optimizer.schedules
        if takes is not None and WSDSettings.model_fields["kind"].default not in takes:
            return recipe
        schedule = WSDSettings(warmup_steps=recipe.schedule.warmup_steps, decay_steps=decay_steps)
        return recipe.model_copy(update={"schedule": schedule})


def _branch(run: SweptRun, step: int) -> Recipe:
    """The recipe that continues a run from a step, before the run is there."""
    from zerosum.training.branch import branch_of

    return branch_of(run.recipe, run.folder / f"checkpoint-{step}", step)


def recipe_key(recipe: Recipe) -> str:
    """Twelve hexadecimal digits of everything that a recipe trains; its name does not count, nor where the pool is."""
    values = recipe.model_dump(mode="json", exclude={"name"})
    if recipe.start is not None and recipe.start.branch:
        checkpoint = Path(recipe.start.checkpoint)
        values["start"]["checkpoint"] = f"{checkpoint.parent.name}/{checkpoint.name}"
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
