"""The training loop. checkpoint-s holds the weights after s updates. The update from s to s + 1 uses
`batch(recipe, s)`, and row s + 1 of `metrics.jsonl` holds the loss of that batch before the update.

A run that is killed at any moment and started again ends with the same weights and the same log, bit for bit.
"""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from accelerate.utils import broadcast_object_list

from zerosum.errors import InputError
from zerosum.training import run_folder
from zerosum.training.batches import batch
from zerosum.training.callback import Callback
from zerosum.training.callback_runner import CallbackRunner
from zerosum.training.metrics import MetricsLog, Row, cut
from zerosum.training.models import checked_configuration, count_parameters
from zerosum.training.recipe import Recipe
from zerosum.training.state import TrainingState, new_accelerator, new_state, preserved_generators, restore, save
from zerosum.training.step import StepResult, optimizer_step


def train(recipe: Recipe, run_dir: Path | str, *, callbacks: Sequence[Callback] = ()) -> None:
    """Train, or continue, the run in `run_dir` to its last step; a finished run is left unchanged.

    callbacks: called in the order given, in the main process, around each update that this call makes; they read and
    cannot change the result (see `Callback`). Nothing is printed. Under torchrun or `accelerate launch` the processes
    share each batch.
    Raises InputError where the folder belongs to another recipe or cannot be written, where the loss is not finite,
    and where a callback changes training.
    """
    checked_configuration(recipe)
    count_parameters(recipe.model)  # builds the model, without memory: bad sizes are found before a folder is made
    run = Path(run_dir)
    runner = CallbackRunner(callbacks)
    with ExitStack() as stack:
        stack.enter_context(preserved_generators(new_accelerator(recipe).device))
        start = _open(run, recipe, stack)
        if start == "finished":
            return
        state = restore(run / start, recipe) if start else new_state(recipe)
        if not start:
            _save(state, run, runner)
        elif state.accelerator.is_main_process:
            runner.load(run / start)
        _continue(state, run, runner)


def _continue(state: TrainingState, run: Path, runner: CallbackRunner) -> None:
    recipe, is_main = state.recipe, state.accelerator.is_main_process
    with ExitStack() as files:
        log = None
        if is_main:
            with run_folder.writing(run):
                log = files.enter_context(MetricsLog(run / run_folder.METRICS))
        while state.step < recipe.steps:
            step_batch = batch(recipe, state.step)
            if is_main:
                runner.before_step(state, step_batch)
            result = optimizer_step(state, step_batch)
            _require_finite(state, run, result)
            if log:
                values = runner.after_step(state, step_batch, result)
                with run_folder.writing(run):
                    log.append(Row(state.step, state.step * recipe.batch.tokens, **asdict(result)), values)
            if state.step in recipe.checkpoint_steps or state.step % recipe.resume_every == 0:
                _save(state, run, runner, log)


def _require_finite(state: TrainingState, run: Path, result: StepResult) -> None:
    if not (math.isfinite(result.loss) and math.isfinite(result.grad_norm)):
        raise InputError(
            f"{run}: loss {result.loss}, gradient norm {result.grad_norm} at step {state.step}: training diverged. "
            f"Choose another folder and an optimizer.lr below {state.recipe.optimizer.lr}."
        )


def _save(state: TrainingState, run: Path, runner: CallbackRunner, log: MetricsLog | None = None) -> None:
    """Save a checkpoint, or a resume state where the recipe has no checkpoint at this step."""
    is_checkpoint = state.step in state.recipe.checkpoint_steps

    def write_callbacks(folder: Path) -> None:
        if is_checkpoint:
            runner.on_checkpoint(state, folder)
        runner.save(folder)

    with run_folder.writing(run):
        if log:
            log.sync()
        save(state, run / f"{'checkpoint' if is_checkpoint else 'resume'}-{state.step}", write_callbacks)
        if state.accelerator.is_main_process:
            is_last = state.step == state.recipe.steps
            run_folder.drop_resume_states(run, before=state.step + 1 if is_last else state.step)


def _open(run: Path, recipe: Recipe, stack: ExitStack) -> str:
    """Where to start: "finished", "" for a new run, or the name of the folder to continue from.

    The main process decides for all processes. Its error is raised in every process: the others would wait forever.
    """
    accelerator = new_accelerator(recipe)
    decision: list[str | InputError] = [""]
    if accelerator.is_main_process:
        try:
            with run_folder.writing(run):
                decision = [_prepare(run, recipe, stack)]
        except InputError as error:
            decision = [error]
    if accelerator.num_processes > 1:
        broadcast_object_list(decision)
    if isinstance(decision[0], InputError):
        raise decision[0]
    return decision[0]


def _prepare(run: Path, recipe: Recipe, stack: ExitStack) -> str:
    """Lock the run directory, check it, and remove what a killed process left; where to start, as in `_open`."""
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
    run_folder.record_data(run, recipe.data.open())
    cut(run / run_folder.METRICS, reached)
    return newest.name if newest else ""
