"""`zerosum gradients`: how far the gradients of single tokens oppose each other, and what that does to an update."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.model_options import (
    MAIN,
    Average,
    CheckpointOrRun,
    Device,
    TokensPerBatch,
    averages_of,
    batch_tokens,
    dtype_named,
    run_of,
    say_averages,
    usable_device,
)
from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import Answer, make_folder, run_report
from zerosum.cli.progress import progress
from zerosum.cli.sources import Failure, each, finish
from zerosum.cli.step_options import Stepping
from zerosum.errors import InputError
from zerosum.missing import step_words

if TYPE_CHECKING:
    from zerosum.checkpoints import Run
    from zerosum.cli.progress import Show
    from zerosum.gradients import GradientInterference
    from zerosum.gradients.run import Progress, UpdateOf
    from zerosum.tokens import TokenSequences


class MethodChoice(StrEnum):
    """How the sums over tokens are made."""

    AUTO = "auto"
    EXACT = "exact"
    SAMPLED = "sampled"
    GENERAL = "general"
    ORACLE = "oracle"
    POSITIONWISE = "positionwise"


GROUP = "measure"


@expand_option_groups
def gradients(
    checkpoint: CheckpointOrRun,
    *,
    data: Data,
    after: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="The update is the difference of this later checkpoint to the first."),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA", help="The update is one real step of the saved optimizer on a batch of this."),
    ] = None,
    stepping: Stepping,
    average: Average = None,
    method: Annotated[
        MethodChoice,
        typer.Option(help="auto: exact where that fits the budget, else sampled; general for layers not known."),
    ] = MethodChoice.AUTO,
    budget: Annotated[float, typer.Option(metavar="MINUTES", help="For auto, at each checkpoint.")] = 10.0,
    sample: Annotated[int, typer.Option(min=16, metavar="N", help="Tokens that a sample takes, at least.")] = 256,
    verify: Annotated[int, typer.Option(min=0, metavar="K", help="Compare K tokens with a backward pass each.")] = 0,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of the store. Without it zerosum/gradients.zarr in the run directory."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample, the training batch and the bootstrap.")] = 0,
    device: Device = "auto",
    dtype: Annotated[
        str, typer.Option(metavar="[float32|bfloat16]", help="Of the passes; bfloat16 says what it costs.")
    ] = "float32",
    tokens_per_batch: TokensPerBatch = "auto",
    answer: Answer,
) -> None:
    """Say how far the gradients of single tokens oppose each other, coordinate by coordinate and layer by layer.

    D_grad is the share of gradient that cancels between tokens, mean over coordinates. With an update, C_g says how
    much tokens agree in it, C_ug how much coordinates do, and D_first_order = 1 - C_g C_uG / C_ug what cancels of all
    loss changes to first order. D of different numbers of tokens N are not comparable.
    """
    from zerosum.gradients import GradientsOverTraining
    from zerosum.gradients.run import Choice, RunMeasurement, SameTokens
    from zerosum.runs import RunDirectory
    from zerosum.training.run_folder import writing

    if average is not None and train:
        raise InputError(
            "--average and --train: a step of the saved optimizer is one from the weights of the run, not from their "
            "average. Leave one out."
        )
    size, place = batch_tokens(tokens_per_batch), usable_device(device)
    choice = Choice(method.value, sample, seed, budget, size, dtype=dtype_named(dtype, ("float32", "bfloat16")))
    update = _update(after, train, data, stepping, choice, place)
    make_folder(answer.out)
    broken: list[Failure] = []
    runs, failed = each([(checkpoint, checkpoint)], lambda source: _opened(source, after, broken, average))
    failed += broken
    records: list[GradientInterference] = []
    for _, run in runs:
        path = store or RunDirectory(run.path, run.average).gradients
        tokens = SameTokens(lambda folder, config: data.read(folder, config)[0], place)
        with progress() as show, writing(path):
            measuring = RunMeasurement(run, path, tokens, choice, update, verify, store is None, _bars(show))
            measured, unmeasured = each(measuring.checkpoints(), measuring.measure)
        records, failed = [record for _, record in measured], [*failed, *unmeasured]
    if MAIN:
        records.sort(key=lambda record: record.step or 0)
        documents = [record.to_json() for record in records]
        name, averages = Path(checkpoint).absolute().name, averages_of(run for _, run in runs)
        failed += answer.give(
            run_report(checkpoint, GradientsOverTraining(name, tuple(records))) if records else None,
            "checkpoints",
            documents,
            failed,
            {"gradients.json": {"checkpoints": documents}},
            page="gradients.html",
            **averages,
        )
        if records and not answer.as_json:
            say_averages(averages)
    finish(failed, len(broken) + len(runs[0][1].checkpoints) if runs else 0)


def _bars(show: "Show") -> "Progress":
    """A bar for each checkpoint; under torchrun of the first process alone."""

    def progress_of(step: int, words: str, done: int, of: int) -> None:
        if MAIN:
            show(f"{step_words(step)}: token gradients", of, done, words)

    return progress_of


def _update(
    after: str | None, train: list[str] | None, data: Data, stepping: Stepping, choice: Any, device: str
) -> "UpdateOf":
    """The update whose effect is measured, as it was asked for."""
    from zerosum.gradients.run import difference_to, no_update
    from zerosum.training.optimizer_choice import Choice
    from zerosum.training.replay.real_steps import MOST_TRAIN
    from zerosum.training.replay.saved_step import saved_step

    if after is not None and train:
        raise InputError("--after and --train: two updates. Give one of them.")
    if not train and stepping != Stepping():
        raise InputError(
            "--optimizer, --clip and --batch-size are of a step on --train. Give --train, or leave them out."
        )
    if after is not None:
        return difference_to(after, device)
    if not train:
        return no_update
    text = replace(data, data=train, max_sequences=MOST_TRAIN)
    optimizer = Choice.parse(stepping.optimizer)

    def read(folder: Path, config: Any) -> "TokenSequences":
        return text.read(folder, config, "train")[0]

    return saved_step(read, optimizer, stepping.clip, stepping.batch_size, choice.seed, choice.tokens_per_batch)


def _opened(source: str, after: str | None, broken: list[Failure], average: str | None) -> "Run":
    run = run_of([source], broken, average=average)
    number = len(run.checkpoints)
    if number > 1 and after is not None:
        raise InputError(f"{source}: {number} checkpoints. Give one of them with --after, or use --train.")
    return run
