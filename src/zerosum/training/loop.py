"""The training loop. checkpoint-s holds the weights after s updates. The update from s to s + 1 uses
`batch(recipe, s)`, and row s + 1 of `metrics.jsonl` holds the loss of that batch before the update.

A run that is killed at any moment and started again ends with the same weights and the same log, bit for bit.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from accelerate.utils import broadcast_object_list
from torch import nn

from zerosum.errors import Diverged, InputError
from zerosum.loss_watch import WINDOW
from zerosum.memory import hold_freed_memory
from zerosum.training import run_folder
from zerosum.training.averages import AveragedWeights
from zerosum.training.batches import batch
from zerosum.training.branch import first_state
from zerosum.training.callback import Callback
from zerosum.training.callback_runner import CallbackRunner
from zerosum.training.held_out import COLUMN as HELD_OUT
from zerosum.training.held_out import held_out_loss, require_held_out
from zerosum.training.metrics import MetricsLog, Row, cut, read_rows
from zerosum.training.models import checked_configuration, require_forward
from zerosum.training.notices import Notice, StepWatch, Tell, before_training, warn
from zerosum.training.recipe import Recipe
from zerosum.training.reference import reference_facts
from zerosum.training.sharding import local_part
from zerosum.training.state import TrainingState, new_accelerator, preserved_generators, restore, save
from zerosum.training.step import NotFinite, StepResult, optimizer_step
from zerosum.training.trackers import Trackers, open_trackers


def train(
    recipe: Recipe,
    run_dir: Path | str,
    *,
    callbacks: Sequence[Callback] = (),
    on_notice: Tell = warn,
    trackers: Sequence[str] = (),
) -> None:
    """Train, or continue, the run in `run_dir` to its last step; a finished run is left unchanged.

    callbacks: called in the order given, around each update that this call makes; they read and cannot change the
    result (see `Callback`). on_notice: called in the main process with each sign that the run is not
    what was meant (see `notices`). trackers: "tensorboard", "wandb": where rows of the log are sent, too. Nothing is
    printed. Under torchrun or `accelerate launch` the processes share each batch.
    Raises InputError where the folder belongs to another recipe or cannot be written, where the loss is not finite
    (the state before that update is saved first), and where a callback changes training.
    """
    checked_configuration(recipe)
    require_held_out(recipe)
    require_forward(recipe.model)  # without memory: bad sizes are found before a folder is made
    run = Path(run_dir)
    runner = CallbackRunner((*callbacks, *([AveragedWeights(recipe)] if recipe.averages else ())))
    with ExitStack() as stack:
        stack.enter_context(preserved_generators(new_accelerator(recipe).device))
        begin = _open(run, recipe, stack)
        if begin == "finished":
            return
        hold_freed_memory()
        state = restore(run / begin, recipe) if begin else first_state(recipe)
        loop = _Loop(state, run, runner, on_notice if state.accelerator.is_main_process else _ignore)
        if state.accelerator.is_main_process:
            loop.trackers = stack.enter_context(open_trackers(trackers, run, recipe.flat()))
        if not begin:
            for notice in before_training(recipe):
                loop.tell(notice)
            loop.save()
        else:
            runner.load(state, run / begin)
        loop.run_to_the_end()


def _ignore(notice: Notice) -> None:
    """What processes other than the main one do with notices."""


class _Loop:
    """The updates of one call of `train`."""

    def __init__(self, state: TrainingState, run: Path, runner: CallbackRunner, tell: Tell):
        self.state, self.run, self.runner, self.tell = state, run, runner, tell
        self.log: MetricsLog | None = None
        self.trackers, self.held_out_steps = Trackers(()), state.recipe.held_out_steps
        rows = read_rows(run / run_folder.METRICS, state.recipe.first_step)
        self.watch = StepWatch([row["loss"] for row in rows[-2 * WINDOW :]])
        self.fingerprint = _fingerprint(state) if rows else None

    def run_to_the_end(self) -> None:
        """Make all updates that are left."""
        with ExitStack() as files:
            if self.state.accelerator.is_main_process:
                with run_folder.writing(self.run):
                    self.log = files.enter_context(MetricsLog(self.run / run_folder.METRICS))
            while self.state.step < self.state.recipe.steps:
                self._update()

    def _update(self) -> None:
        """One update, its row, and a checkpoint or a resume state where the recipe wants one."""
        state, recipe = self.state, self.state.recipe
        step_batch = batch(recipe, state.step)
        self.runner.before_step(state, step_batch)
        try:
            result = optimizer_step(state, step_batch, self.runner.after_pass(state, step_batch))
        except NotFinite as error:
            self._save_before_divergence(error.result)
        is_checkpoint = state.step in recipe.checkpoint_steps
        held_out = held_out_loss(state) if state.step in self.held_out_steps else None
        values = self.runner.after_step(state, step_batch, result)
        if self.log:
            if held_out is not None:
                values[HELD_OUT] = held_out
            seen = recipe.tokens_seen(state.step)
            columns = Row(state.step, seen, result.loss, result.lr, result.grad_norm)
            row = {**asdict(columns), **result.values, **values}
            with run_folder.writing(self.run):
                self.log.append(row)
            self.trackers.log(row)
            for notice in self.watch(state.step, result.loss, result.lr):
                self.tell(notice)
        if is_checkpoint or state.step % recipe.resume_every == 0:
            self.save()

    def save(self) -> None:
        """Save a checkpoint, or a resume state where the recipe has no checkpoint at this step."""
        state, run, runner = self.state, self.run, self.runner
        is_checkpoint = state.step in state.recipe.checkpoint_steps

        def write_callbacks(folder: Path, model: nn.Module) -> None:
            if is_checkpoint:
                runner.on_checkpoint(state, folder, model)
            runner.save(folder)

        with run_folder.writing(run):
            if self.log:
                self.log.sync()
            save(state, run / f"{'checkpoint' if is_checkpoint else 'resume'}-{state.step}", write_callbacks)
            if state.accelerator.is_main_process:
                is_last = state.step == state.recipe.steps
                run_folder.drop_resume_states(run, before=state.step + 1 if is_last else state.step)
        if is_checkpoint:
            self._compare_with_the_last_checkpoint()

    def _compare_with_the_last_checkpoint(self) -> None:
        before, self.fingerprint = self.fingerprint, _fingerprint(self.state)
        if before == self.fingerprint:
            step = self.state.step
            message = f"checkpoint-{step} holds the weights of the state before it: nothing was learned."
            self.tell(Notice("unchanged-checkpoint", step, message))

    def _save_before_divergence(self, result: StepResult) -> NoReturn:
        """Save the state before an update that cannot be made, and raise Diverged."""
        step = self.state.step
        if not any((self.run / f"{kind}-{step}").is_dir() for kind in ("checkpoint", "resume")):
            self.save()
        raise Diverged(
            f"{self.run}: training diverged at step {step + 1} (loss {result.loss:.4g}, gradient norm "
            f"{result.grad_norm:.4g}); the state after step {step} is saved. Choose another folder and an optimizer.lr "
            f"below {self.state.recipe.optimizer.lr}, or branch from an earlier step."
        )


def _fingerprint(state: TrainingState) -> list[float]:
    """Sums that tell whether weights changed, of the part of each parameter that this process holds."""
    return [local_part(weights.detach()).double().sum().item() for weights in state.plain_model.parameters()]


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
    newest = run_folder.newest(run, recipe)
    reached = int(newest.name.split("-")[1]) if newest else recipe.first_step
    if newest:
        run_folder.require_checkpoints(run, recipe, until=reached)
    if run_folder.is_finished(run, recipe):
        run_folder.drop_resume_states(run, before=recipe.steps + 1)
        return "finished"
    reference = reference_facts(recipe.objective.reference_model)
    run_folder.record_data(run, {**recipe.data.open().facts, **reference})
    cut(run / run_folder.METRICS, reached - recipe.first_step, recipe.first_step)
    return newest.name if newest else ""
