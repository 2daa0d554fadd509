"""`zerosum dissent`: how far attraction towards the labels and repulsion from all other tokens oppose each other."""

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
    run_of,
    say_averages,
    usable_device,
)
from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import Answer, make_folder, run_report
from zerosum.cli.progress import progress
from zerosum.cli.sources import Failure, each, finish
from zerosum.missing import step_words

if TYPE_CHECKING:
    from zerosum.checkpoints import Run
    from zerosum.dissent import Dissent

GROUP = "measure"


@expand_option_groups
def dissent(
    checkpoint: CheckpointOrRun,
    *,
    data: Data,
    average: Average = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    device: Device = "auto",
    tokens_per_batch: TokensPerBatch = "auto",
    answer: Answer,
) -> None:
    """Say how far the two forces of the cross-entropy gradient oppose each other: gradient dissent.

    Attraction a = (1 − q_y)(w_y − w̄) pulls towards the label, repulsion r pushes away from all other tokens. Dissent is
    −cos(a, r): of each token at its last hidden state, of each row of the head, and of all tokens together in every
    layer below. 1 is total dissent. Of all tokens together it is 1 wherever their mean loss is stationary (unless
    embedding and head are one matrix), so the loss always stands beside it.
    """
    from zerosum.dissent import over_training

    size, place = batch_tokens(tokens_per_batch), usable_device(device)
    make_folder(answer.out)
    broken: list[Failure] = []
    runs, failed = each([(checkpoint, checkpoint)], lambda source: run_of([source], broken, average=average))
    failed += broken
    records: list[Dissent] = []
    for _, run in runs:
        records, unmeasured = _measured(run, data, seed, size, place)
        failed += unmeasured
    if MAIN:
        averages = averages_of(run for _, run in runs)
        over = over_training(Path(checkpoint).absolute().name, records)
        document = over.to_json() if over else {"checkpoints": [], "first_reached": []}
        errors = [{"source": failure.source, "message": failure.message} for failure in failed]
        failed += answer.give(
            run_report(checkpoint, over) if over else None,
            "checkpoints",
            document["checkpoints"],
            failed,
            {"dissent.json": document | {"errors": errors}},
            page="dissent.html",
            first_reached=document["first_reached"],
            **averages,
        )
        if records and not answer.as_json:
            say_averages(averages)
    finish(failed, len(broken) + len(runs[0][1].checkpoints) if runs else 1)


def _measured(run: "Run", data: Data, seed: int, size: Any, device: str) -> "tuple[list[Dissent], list[Failure]]":
    """The records of a run's checkpoints, and what failed. Records of a single checkpoint are not stored."""
    from zerosum.dissent.run import RunMeasurement, SameTokens
    from zerosum.runs import RunDirectory
    from zerosum.training.run_folder import writing

    folder = RunDirectory(run.path, run.average).dissent if len(run.checkpoints) > 1 else None
    tokens = SameTokens(lambda path, config: data.read(path, config)[0], device)
    with progress() as show, writing(folder or run.path):

        def report(step: int, done: int, of: int) -> None:
            if MAIN:
                show(f"{step_words(step)}: dissent", of, done, "")

        measurement = RunMeasurement(run, folder, tokens, seed, size, report)
        jobs = ((checkpoint.name, checkpoint) for checkpoint in measurement.in_turn())
        records, failed = each(jobs, measurement.measure)
    return sorted((record for _, record in records), key=lambda record: record.step or 0), failed
