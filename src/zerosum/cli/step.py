"""`zerosum step`: what one real optimizer step does to each token of its batch and of held-out text."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.model_options import Device, TokensPerBatch, batch_tokens, usable_device
from zerosum.cli.options import expand_option_groups
from zerosum.cli.progress import following
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError
from zerosum.training.optimizers import optimizer_names

if TYPE_CHECKING:
    from zerosum.checkpoints import Checkpoint
    from zerosum.show.steps import StepReport
    from zerosum.training.updater import Updater

BATCHES = 8  # as far as the training data goes
BATCH_SIZE = 32  # sequences, where the run does not say
MOST_TRAIN = 16_384  # sequences of training text that batches are drawn from


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
    optimizer: Annotated[
        str,
        typer.Option(
            metavar="NAME:lr=RATE,...",
            help="saved: the state beside the weights; saved:lr=RATE with another rate. Where none was saved "
            f"a new optimizer ({', '.join(optimizer_names())}) with its numbers, as in adamw:lr=RATE,beta1=..,beta2=..",
        ),
    ] = "saved",
    clip: Annotated[
        float | None,
        typer.Option(
            metavar="NORM", help="Largest norm of the gradient, 0 for none. Without it the run's; unknown: 1."
        ),
    ] = None,
    batches: Annotated[
        int | None,
        typer.Option(min=1, metavar="K", help=f"Steps, each from the checkpoint. Without it up to {BATCHES}."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="S", help="Training sequences of a step. Without it the run's, or 32.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the batches, the bootstrap and the Monte Carlo nulls.")] = 0,
    device: Device = "auto",
    tokens_per_batch: TokensPerBatch = "auto",
    as_json: AsJson = False,
) -> None:
    """Take real optimizer steps from a checkpoint, in float32, and say how much of all loss movement cancels.

    Each batch of training text is one step from the same weights and moments: the checkpoint is only read. Losses of
    every token are measured before and after, on the batch itself and on held-out text.
    """

    choice = (optimizer, clip, seed, usable_device(device), batch_tokens(tokens_per_batch))

    def measured(source: str) -> "StepReport":
        return _measure(
            source, replace(text, data=train, max_sequences=MOST_TRAIN), text, (batches, batch_size), *choice
        )

    found, failed = each([(checkpoint, checkpoint)], measured)
    reports = [one for _, one in found]
    if as_json:
        print_json("steps", [one.to_json() for one in reports], failed)
    elif reports:
        from zerosum.cli.step_words import show

        show(reports[0])
    finish(failed, 1)


def _measure(
    source: str,
    train_text: Data,
    text: Data,
    wanted: tuple[int | None, int | None],
    optimizer: str,
    clip: float | None,
    seed: int,
    device: str,
    tokens_per_batch: Any,
) -> "StepReport":
    from zerosum.checkpoints import load_model
    from zerosum.interference.labelled import measure_changes
    from zerosum.show.steps import BatchReport, StepReport
    from zerosum.training.optimizer_choice import Choice
    from zerosum.training.real_steps import draw_batches, left_out, real_steps
    from zerosum.training.updater import find_updater

    choice, one = Choice.parse(optimizer), _only(source)
    model = load_model(one, device=device)
    updater = find_updater(one.path, model, choice, clip)
    (train, _), (held_out, _) = (data.read(one.path, model.config) for data in (train_text, text))
    size, number, notes = _sizes(len(train.ids), wanted, updater)
    drawn = draw_batches(len(train.ids), size, number, seed)
    reports = []
    with following([f"batch {k} of {number}" for k in range(1, number + 1)], "taking steps") as names:
        steps = real_steps(model, updater, train.ids[drawn], held_out.ids, tokens_per_batch=tokens_per_batch)
        for rows, _, taken in zip(drawn, names, steps, strict=True):
            losses = taken.losses
            changes = {
                "batch": measure_changes(losses.batch_before, losses.batch_after, train.document[rows], seed=seed),
                "heldout": measure_changes(taken.held_out_before, losses.held_out_after, held_out.document, seed=seed),
            }
            reports.append(BatchReport(tuple(rows.tolist()), taken.grad_norm, changes))
    said = (*updater.notes, *notes, *left_out(model))
    return StepReport(source, one.step, updater.settings, said, train.ids.shape[1] - 1, tuple(reports))


def _only(source: str) -> "Checkpoint":
    """The one checkpoint that is meant."""
    from zerosum.checkpoints import open_run

    found = open_run(source).checkpoints
    if len(found) > 1:
        names = [Path(one.name).name for one in found]
        listed = ", ".join(names if len(names) < 4 else [*names[:3], "..."])
        raise InputError(f"{source}: {len(found)} checkpoints ({listed}). Give one of them.")
    return found[0]


def _sizes(available: int, wanted: tuple[int | None, int | None], updater: "Updater") -> tuple[int, int, list[str]]:
    """Sequences of a batch, number of batches, and what was assumed about them."""
    notes = []
    batches, size = wanted
    if size is None:
        size = updater.batch_size or BATCH_SIZE
        if updater.batch_size is None:
            notes.append(
                f"the run's batch size is not saved: {size} sequences assumed. R, D and M of a step depend on it; give "
                "--batch-size"
            )
    if available == MOST_TRAIN:
        notes.append(f"batches are drawn from the first {MOST_TRAIN:,} training sequences")
    if batches is None:
        batches = max(1, min(BATCHES, available // size))
        if batches < BATCHES:
            notes.append(f"the training data gives {batches} of {BATCHES} batches")
    return size, batches, notes
