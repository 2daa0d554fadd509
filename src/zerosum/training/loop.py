"""The training loop. Counting, once: checkpoint-s holds the weights after s updates; the update from s to s+1 uses
`batch(recipe, s)`, and row s+1 of `metrics.jsonl` holds that batch's loss before the update.

Killed at any moment and started again, a run ends with the same weights and the same log, bit for bit.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from accelerate.utils import broadcast_object_list

from zerosum.errors import InputError
from zerosum.training import run_folder
from zerosum.training.batches import batch
from zerosum.training.metrics import MetricsLog, Row, cut
from zerosum.training.recipe import Recipe
from zerosum.training.state import TrainingState, generators_put_back, new_accelerator, new_state, restore, save
from zerosum.training.step import optimizer_step
from zerosum.training.text import read_text

OnStep = Callable[[int, float], None]


def train(recipe: Recipe, run_dir: Path | str, *, on_step: OnStep | None = None) -> None:
    """Train, or continue, the run in `run_dir` to its last step; a finished run is left as it is.

    on_step: called as `on_step(step, loss)` in the main process after each update made by this call; nothing is
    printed. Under torchrun or `accelerate launch` the processes share each batch.
    Raises InputError where the folder is not this recipe's or cannot be written, and where the loss is not finite.
    """
    run = Path(run_dir)
    with ExitStack() as stack:
        stack.enter_context(generators_put_back(recipe))
        start = _open(run, recipe, stack)
        if start == "finished":
            return
        state = restore(run / start, recipe) if start else new_state(recipe)
        if not start:
            _save(state, run)
        with ExitStack() as files:
            log = None
            if state.accelerator.is_main_process:
                with run_folder.writing(run):
                    log = files.enter_context(MetricsLog(run / run_folder.METRICS))
            _continue(state, run, log, on_step)


def _continue(state: TrainingState, run: Path, log: MetricsLog | None, on_step: OnStep | None) -> None:
    recipe = state.recipe
    kept = set(recipe.checkpoint_steps)
    while state.step < recipe.steps:
        result = optimizer_step(state, batch(recipe, state.step))
        if not (math.isfinite(result.loss) and math.isfinite(result.grad_norm)):
            raise InputError(
                f"{run}: loss {result.loss}, gradient norm {result.grad_norm} at step {state.step}: training diverged. "
                f"Choose another folder and an optimizer.lr below {recipe.optimizer.lr}."
            )
        if log:
            with run_folder.writing(run):
                log.append(Row(state.step, state.step * recipe.batch.tokens, **asdict(result)))
        if state.step in kept or state.step % recipe.resume_every == 0:
            _save(state, run, log)
        if log and on_step:
            on_step(state.step, result.loss)


def _save(state: TrainingState, run: Path, log: MetricsLog | None = None) -> None:
    kind = "checkpoint" if state.step in state.recipe.checkpoint_steps else "resume"
    with run_folder.writing(run):
        if log:
            log.sync()
        save(state, run / f"{kind}-{state.step}")
        if state.accelerator.is_main_process:
            last = state.step == state.recipe.steps
            run_folder.drop_resume_states(run, before=state.step + 1 if last else state.step)


def _open(run: Path, recipe: Recipe, stack: ExitStack) -> str:
    """What to do: "finished", "" for a new run, or the folder to continue from. The main process decides for all.

    An error is told to the other processes too: they would wait for ever.
    """
    accelerator = new_accelerator(recipe)
    answer: list[str | InputError] = [""]
    if accelerator.is_main_process:
        try:
            with run_folder.writing(run):
                answer = [_prepare(run, recipe, stack)]
        except InputError as error:
            answer = [error]
    if accelerator.num_processes > 1:
        broadcast_object_list(answer)
    if isinstance(answer[0], InputError):
        raise answer[0]
    return answer[0]


def _prepare(run: Path, recipe: Recipe, stack: ExitStack) -> str:
    run.mkdir(parents=True, exist_ok=True)
    stack.enter_context(run_folder.locked(run))
    run_folder.claim(run, recipe)
    run_folder.sweep(run)
    newest = run_folder.newest(run)
    reached = int(newest.name.split("-")[1]) if newest else 0
    if newest:
        run_folder.require_checkpoints(run, recipe, until=reached)
    if run_folder.is_finished(run, recipe):
        run_folder.drop_resume_states(run, before=recipe.steps + 1)
        return "finished"
    run_folder.describe_text(run, read_text(recipe.data))
    cut(run / run_folder.METRICS, reached)
    return newest.name if newest else ""
