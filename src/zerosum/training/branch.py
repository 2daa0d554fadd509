"""Runs that start from a checkpoint: anew from its weights, or as a branch that continues its full state."""

from pathlib import Path

import torch

from zerosum.checkpoints import load_model, only_checkpoint
from zerosum.errors import InputError
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.models import build_model, known_fields
from zerosum.training.recipe import Recipe, StartRecipe
from zerosum.training.run_folder import RECIPE, saved_at
from zerosum.training.schedules.wsd import WSDSettings
from zerosum.training.state import TrainingState, new_state, prepared, restore


def branch(run: Path | str, step: int) -> Recipe:
    """The recipe of a run that continues another run from the state after `step` updates; change it as you like.

    Model, optimizer and data have to stay; the learning rate, its schedule, the number of steps, the objective may
    differ. Raises InputError where no state of that step is saved.
    """
    parent = Path(run)
    return branch_of(Recipe.load(parent / RECIPE), saved_at(parent, step), step)


def branch_of(recipe: Recipe, checkpoint: Path, step: int) -> Recipe:
    """The recipe of a branch of a run of `recipe` at its checkpoint of `step`, which need not be there yet."""
    start = StartRecipe(checkpoint=str(checkpoint), branch=True, step=step, tokens=recipe.tokens_seen(step))
    optimizer = recipe.optimizer.for_run(recipe.steps)  # also in a branch that is shorter or longer
    return recipe.model_copy(
        update={"name": f"{recipe.name}, branch at {step}", "start": start, "optimizer": optimizer}
    )


def cooldown(recipe: Recipe, share: float) -> Recipe:
    """The recipe of a branch whose rate falls to 0 over `share` times the steps before it, and then ends.

    Raises InputError for a recipe that is no branch, whose rate is not constant where it branches, or whose optimizer
    takes no such schedule.

    >>> start = StartRecipe(checkpoint="runs/a/checkpoint-100", branch=True, step=100)
    >>> cooled = cooldown(Recipe(name="a", steps=200, start=start), 0.2)
    >>> cooled.steps, cooled.schedule.decay_steps
    (120, 20)
    """
    at = recipe.first_step
    if not at:
        raise InputError("a cooldown continues a run. Give the run and step to branch from.")
    if recipe.schedule.factor(at + 1, recipe.steps) < 1:
        raise InputError(
            f"step {at}: the rate is not constant there ({recipe.schedule.kind}), so a cooldown would not start from "
            "the full rate. Branch where it is, or set another schedule."
        )
    kind, takes = recipe.optimizer.kind, recipe.optimizer.schedules
    if takes is not None and WSDSettings.model_fields["kind"].default not in takes:
        raise InputError(
            f"optimizer {kind}: takes no cooldown, only the schedule {', '.join(takes)}. Measure the checkpoint itself."
        )
    decay = max(1, round(share * at))
    schedule = WSDSettings(warmup_steps=recipe.schedule.warmup_steps, decay_steps=decay)
    return recipe.model_copy(update={"schedule": schedule, "steps": at + decay})


def model_of(checkpoint: str) -> ModelRecipe:
    """The model of a checkpoint, a folder or a name on the hub, as a recipe states it."""
    config = load_model(only_checkpoint(checkpoint)).config
    fields = known_fields(config.model_type)
    settings = {
        name: value for name, value in config.to_diff_dict().items() if name in fields and name not in _NOT_SIZES
    }
    return ModelRecipe.model_validate({"family": config.model_type, **settings})


_NOT_SIZES = ("architectures", "dtype", "torch_dtype", "transformers_version", "use_cache", "_name_or_path")


def first_state(recipe: Recipe) -> TrainingState:
    """The state that a run starts with: random weights, those of a checkpoint, or the full state of another run.

    Seeds torch's global generators, or restores them. Raises InputError where the checkpoint does not fit the recipe.
    """
    start = recipe.start
    if start is None:
        return new_state(recipe)
    if start.branch:
        try:
            state = restore(Path(start.checkpoint), recipe)
        except InputError as error:
            raise InputError(
                f"{start.checkpoint}: cannot be branched from: not there, damaged, or of another model or optimizer "
                "than this recipe's. Keep model and optimizer.kind, and change schedule, rate or objective."
            ) from error
        if state.step != start.step:
            raise InputError(f"{start.checkpoint}: is of step {state.step}, not {start.step}. Name that step.")
        return state
    torch.manual_seed(recipe.seed)
    model = build_model(recipe)
    try:
        model.load_state_dict(load_model(only_checkpoint(start.checkpoint)).state_dict())
    except RuntimeError as error:
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{start.checkpoint}: weights of another model than this recipe's ({cause}).") from error
    return prepared(recipe, model, step=0)
