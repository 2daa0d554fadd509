"""What `zerosum demo` does to one run: it is trained, and everything the page shows of it is measured."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.errors import InputError
from zerosum.runs import RunDirectory

if TYPE_CHECKING:
    from zerosum.tokens import TokenSequences
    from zerosum.training import Callback, Recipe
    from zerosum.training.corpora.python import PythonCorpus
    from zerosum.training.notices import Notice

HELD_OUT_SEQUENCES = 256
PACKAGES, TRAIN_WINDOWS, HELD_OUT_WINDOWS = 5, 128, 48  # of each package, for steps on one package each
GRADIENT_SEQUENCES, GRADIENT_CHECKPOINTS = 128, 4  # for the gradient noise scale
BRANCHES = 4
Show = Callable[..., None]


def train_run(folder: Path, recipe: "Recipe", show: Show) -> None:
    """Train or continue a run. show: called with (label, total, done, note)."""
    import torch

    from zerosum.training import train
    from zerosum.training.ngrams import RecordNgrams

    torch.set_num_threads(recipe.threads)  # the last digits of a loss depend on it
    progress = _progress(f"{_label(recipe)}training", recipe.steps, show)
    train(recipe, folder, callbacks=(progress, RecordNgrams(recipe, folder)), on_notice=_nothing)


def measure_run(folder: Path, recipe: "Recipe", show: Show, deep: bool) -> None:
    """Measure losses of tokens, of the weights and of their averages.

    deep: also what is opposition and what is noise: gradients, branches on other orders of the data, who harms whom.
    """
    _measure_losses(folder, recipe, show)
    for average in recipe.averages:
        _measure_losses_of_average(folder, recipe, average, show)
    if deep:
        _measure_gradients(folder, recipe, show)
        _measure_branches(folder, recipe, show)
        _measure_harms(folder, recipe, show)


def held_out_tokens(recipe: "Recipe") -> "TokenSequences":
    """The tokens whose losses are measured at every checkpoint."""
    return recipe.data.open().held_out(HELD_OUT_SEQUENCES, recipe.batch.length)


def _measure_losses(folder: Path, recipe: "Recipe", show: Show) -> None:
    from zerosum.checkpoints import open_run
    from zerosum.losses import AroundStep, measure_losses
    from zerosum.training import SavedSteps

    steps = SavedSteps(recipe)
    measure_losses(
        RunDirectory(folder).losses,
        open_run(folder).checkpoints,
        held_out_tokens(recipe),
        model=recipe.name,
        load=steps.load,
        around=AroundStep(steps.losses, batch=(recipe.batch.sequences, recipe.batch.length)),
        replace=True,
        on_piece=lambda done, total, step: show(f"{_label(recipe)}token losses", total, done, f"step {step}"),
    )


def _measure_losses_of_average(folder: Path, recipe: "Recipe", average: str, show: Show) -> None:
    from zerosum.checkpoints import find_checkpoints
    from zerosum.losses import measure_losses

    run = find_checkpoints([folder], average=average)
    label = f"{_label(recipe)}token losses of averaged weights"
    measure_losses(
        RunDirectory(folder, run.average).losses,
        run.checkpoints,
        held_out_tokens(recipe),
        model=recipe.name,
        replace=True,
        on_piece=lambda done, total, step: show(label, total, done, f"step {step}"),
    )


def _measure_gradients(folder: Path, recipe: "Recipe", show: Show) -> None:
    """Gradients of single tokens and their noise scale, at the last checkpoints, each at four times the step before."""
    from zerosum.checkpoints import open_run
    from zerosum.gradients.run import Choice, RunMeasurement, SameTokens

    run = open_run(folder)
    steps = [recipe.steps // 4**k for k in range(GRADIENT_CHECKPOINTS)]
    chosen = replace(run, checkpoints=tuple(checkpoint for checkpoint in run.checkpoints if checkpoint.step in steps))
    tokens = recipe.data.open().held_out(GRADIENT_SEQUENCES, recipe.batch.length)

    def along(step: int, words: str, done: int, of: int) -> None:
        show(f"{_label(recipe)}token gradients, step {step}", of, done, words)

    store = RunDirectory(folder).gradients
    measuring = RunMeasurement(chosen, store, SameTokens(lambda *_: tokens), Choice(seed=recipe.seed), progress=along)
    for _, checkpoint in measuring.checkpoints():
        measuring.measure(checkpoint)


def _measure_branches(folder: Path, recipe: "Recipe", show: Show) -> None:
    """Branches on other orders of the data, from an eighth of the run to an eighth later."""
    from zerosum.sweep import states
    from zerosum.sweep.branches import measure_finished, plan_of_branches
    from zerosum.sweep.work import train_one

    def trained(name: str, *news: Any) -> None:
        show(f"{_label(recipe)}branch {name}", *news)

    def measured(name: str, *news: Any) -> None:
        show(f"{_label(recipe)}token losses of branch {name}", *news)

    first = recipe.steps // 8
    plan = plan_of_branches(folder, first, first + recipe.steps // 16, BRANCHES)
    for state in states(plan):
        if state.state != "done" and (why := train_one(plan, state.run, trained, tell=_nothing)):
            raise InputError(f"{state.run.folder}: {why}")
    measure_finished(plan, plan.runs, HELD_OUT_SEQUENCES, None, measured)


def _measure_harms(folder: Path, recipe: "Recipe", show: Show) -> None:
    """Who harms whom among the largest packages, at the last checkpoint; measured once."""
    from zerosum.interference.labelled import read_harms, write_harms
    from zerosum.training.packages import held_out_windows_of, largest_packages, train_windows
    from zerosum.training.replay.checkpoint_steps import StepOptions
    from zerosum.training.replay.harms import measure_harms

    place, length = RunDirectory(folder).harms, recipe.batch.length
    if place.is_dir() and read_harms(place):
        return
    corpus: PythonCorpus = recipe.data.open()  # type: ignore[assignment]
    packages = largest_packages(corpus.text, PACKAGES)
    if len(packages) < 2:
        return  # a text in a single folder

    def along(number: int) -> "Any":
        for batch in range(number):
            show(f"{_label(recipe)}steps on one package each", number, batch + 1, "")
            yield batch

    matrix = measure_harms(
        str(folder / f"checkpoint-{recipe.steps}"),
        lambda *_: train_windows(corpus.text, packages, TRAIN_WINDOWS, length),
        lambda *_: held_out_windows_of(corpus.text, packages, HELD_OUT_WINDOWS, length),
        "domain",
        StepOptions(batch_size=TRAIN_WINDOWS // 4, seed=recipe.seed),
        along=along,
    )
    write_harms(place, matrix)


def _nothing(notice: "Notice") -> None:
    """Notices are of jumps of the loss: in batches of 256 tokens, unusual text."""


def _label(recipe: "Recipe") -> str:
    return f"{recipe.name}, seed {recipe.seed}: "


def _progress(label: str, total: int, show: Show) -> "Callback":
    """Shows the step and loss of each update."""
    from zerosum.training import AfterStep, Callback

    class Progress(Callback):
        def after_step(self, context: AfterStep) -> None:
            show(label, total, context.step, f"loss {context.loss:.2f}")

    return Progress()
