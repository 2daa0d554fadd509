"""Branches of a run on other orders of its data: the same state, the same schedule, other batches."""

from pathlib import Path

from zerosum.errors import InputError
from zerosum.training.branch import branch
from zerosum.training.recipe import Recipe
from zerosum.training.resume_state import RESUME_FILE
from zerosum.training.run_folder import RECIPE, saved_at, step_of
from zerosum.training.schedule_settings import ScheduleSettings
from zerosum.training.schedules.constant import ConstantSettings


def run_and_step(checkpoint: str) -> tuple[Path, int]:
    """The run directory and the step of a checkpoint, given as its folder or as RUN@STEP.

    Raises InputError where it is no checkpoint of a run of ours with the state of its optimizer.
    """
    folder = Path(checkpoint).expanduser()
    run, _, text = checkpoint.rpartition("@")
    step: int | None
    if run and text.isascii() and text.isdigit() and not folder.exists():
        place, step = Path(run).expanduser(), int(text)
    else:
        place, step = folder.absolute().parent, step_of(folder) if folder.is_dir() else None
        if step is None and not (folder / RECIPE).is_file():
            raise InputError(f"{checkpoint}: not a checkpoint. Give RUN/checkpoint-STEP or RUN@STEP.")
        if step is None:
            raise InputError(f"{checkpoint}: a run, not a checkpoint of it. Name its step: {checkpoint}@STEP.")
    if not (place / RECIPE).is_file():
        raise InputError(
            f"{checkpoint}: not of a run of zerosum train (no {RECIPE} beside it), so its batches are not known. "
            "Train on from it with zerosum train RECIPE --from CHECKPOINT, and branch from that run."
        )
    saved = saved_at(place, step)
    if not (saved / RESUME_FILE).is_file():
        raise InputError(
            f"{saved}: no state of the optimizer to branch from ({RESUME_FILE}). Copy it back, or choose another step."
        )
    return place, step


def other_order(run: Path, step: int, until: int, order: int) -> Recipe:
    """The recipe of a branch from `step` to `until` on an order of the data of its own, number `order` from 1 on.

    Only the seed of the batches differs. The learning rate continues the run's schedule, and the random generators
    (dropout) continue from the checkpoint, alike in all branches.
    Raises InputError where no schedule of a run that ends at `until` has the run's rates.
    """
    recipe = branch(run, step)
    if until <= step:
        raise InputError(f"--until {until}: not after step {step}, where the branches start. Give a later step.")
    schedule = _same_rates(recipe, until)
    changes = {
        "name": f"{Path(run).resolve().name}, order {order} from {step}",
        "seed": recipe.seed + order,
        "steps": until,
        "schedule": schedule,
    }
    return Recipe.model_validate(recipe.model_copy(update=changes).model_dump())


def _same_rates(recipe: Recipe, until: int) -> ScheduleSettings:
    """A schedule of a run that ends at `until` with the rates that this run has, or would have if it trained on."""
    rates = [recipe.schedule.factor(at, max(recipe.steps, at)) for at in range(recipe.first_step + 1, until + 1)]
    for schedule in (recipe.schedule, ConstantSettings(warmup_steps=recipe.schedule.warmup_steps)):
        if rates == [schedule.factor(at, until) for at in range(recipe.first_step + 1, until + 1)]:
            return schedule
    raise InputError(
        f"step {recipe.first_step} to {until}: the rate falls there ({recipe.schedule.kind}), and a run that ends at "
        f"{until} has other rates. Give --until {recipe.steps}, or branch where it is constant."
    )
