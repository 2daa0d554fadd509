"""`zerosum step`: what one real optimizer step does to each token of its batch and of held-out text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.interference import GROUPINGS
from zerosum.cli.model_options import Device, TokensPerBatch, batch_tokens, usable_device
from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import Answer, make_folder, run_report
from zerosum.cli.progress import following
from zerosum.cli.sources import each, finish
from zerosum.cli.step_options import Stepping

if TYPE_CHECKING:
    from zerosum.interference.labelled import CheckpointSteps, HarmMatrices, HarmMatrix
    from zerosum.training.replay.checkpoint_steps import Read, StepOptions

GROUP = "measure"


@expand_option_groups
def step(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="A checkpoint with its optimizer's state.", show_default=False)
    ],
    *,
    train: Annotated[
        list[str],
        typer.Option(
            "--train",
            metavar="DATA",
            help="Training text that batches are drawn from, in any form of --data.",
            show_default=False,
        ),
    ],
    text: Data,
    stepping: Stepping,
    batches: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help="Steps, each from the checkpoint. Without it up to 8."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="GROUPS",
            help=f"Who harms whom: a step on each group of tokens, measured on every group: {', '.join(GROUPINGS)}.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the batches, the bootstrap and the Monte Carlo nulls.")] = 0,
    device: Device = "auto",
    tokens_per_batch: TokensPerBatch = "auto",
    answer: Answer,
) -> None:
    """Take real optimizer steps from a checkpoint, in float32, and say how much of all loss movement cancels.

    Each batch of training text is one step from the same weights and moments: the checkpoint is only read. Losses of
    every token are measured before and after, on the batch itself and on held-out text. With --by each step is on the
    tokens of one group alone, and its effect on the held-out tokens of every group is measured.
    """

    from zerosum.training.replay.checkpoint_steps import StepOptions, measure_steps
    from zerosum.training.replay.real_steps import MOST_TRAIN

    size, place = batch_tokens(tokens_per_batch), usable_device(device)
    options = StepOptions(stepping.optimizer, stepping.clip, batches, stepping.batch_size, seed, place, size)
    train_text = replace(text, data=train, max_sequences=MOST_TRAIN)

    def measured(source: str) -> "CheckpointSteps | HarmMatrix":
        texts = _reader(train_text, "train"), _reader(text, "held_out")
        if by is None:
            return measure_steps(source, *texts, options, _steps_shown)
        return _harms(source, *texts, by, options, text)

    make_folder(answer.out)
    records, failed = each([(checkpoint, checkpoint)], measured)
    steps = [record.to_json() for _, record in records]
    failed += answer.give(
        run_report(records[0][1].source, _shown(records[0][1])) if records else None,
        "steps",
        steps,
        failed,
        {"steps.json": {"steps": steps, "errors": []}},
        page="steps.html",
    )
    finish(failed, 1)


def _harms(source: str, train: "Read", held_out: "Read", by: str, options: "StepOptions", text: Data) -> "HarmMatrix":
    """The matrix, kept with the run where the checkpoint is one of a run directory."""
    from zerosum.interference.labelled import write_harms
    from zerosum.runs import RunDirectory
    from zerosum.training.replay.harms import measure_harms
    from zerosum.training.run_folder import step_of, writing

    matrix = measure_harms(source, train, held_out, by, options, text.decoder, _steps_shown)
    path = Path(source).resolve()
    if path.is_dir() and step_of(path) is not None:
        with writing(path.parent):
            write_harms(RunDirectory(path.parent).harms, matrix)
    return matrix


def _shown(record: "CheckpointSteps | HarmMatrix") -> "CheckpointSteps | HarmMatrices":
    from zerosum.interference.labelled import HarmMatrices, HarmMatrix

    return HarmMatrices((record,)) if isinstance(record, HarmMatrix) else record


def _reader(data: Data, split: Literal["train", "held_out"]) -> "Read":
    return lambda folder, config: data.read(folder, config, split)[0]


def _steps_shown(number: int) -> Iterator[str]:
    """Once for each batch; on a terminal a bar says which one it is."""
    with following([f"batch {k} of {number}" for k in range(1, number + 1)], "taking steps") as names:
        yield from names
