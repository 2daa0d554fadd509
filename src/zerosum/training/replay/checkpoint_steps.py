"""Measure real optimizer steps from one checkpoint: what each did to the tokens of its batch and to held-out ones."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zerosum.checkpoints import load_model, only_checkpoint
from zerosum.interference.labelled import BatchStep, CheckpointSteps, measure_changes, split_factors
from zerosum.tokens import TokenSequences
from zerosum.training.optimizer_choice import Choice
from zerosum.training.replay.labelled_tokens import change_of
from zerosum.training.replay.real_steps import MOST_TRAIN, draw_batches, real_steps, step_size
from zerosum.training.replay.replayed_rule import training_domains
from zerosum.training.replay.unseen import unseen_parts
from zerosum.training.replay.updater import Updater, find_updater

BATCHES = 8  # where the training data suffices

Read = Callable[[Path, Any], TokenSequences]
"""Reads tokens for a model: its folder, its config -> the sequences."""


@dataclass(frozen=True)
class StepOptions:
    """How steps are taken. optimizer: see `Choice.parse`. clip: see `find_updater`.

    batches, batch_size: None means up to 8, and that of the run. seed: of the batches, the bootstrap and the nulls.
    """

    optimizer: str = "saved"
    clip: float | None = None
    batches: int | None = None
    batch_size: int | None = None
    seed: int = 0
    device: str = "cpu"
    tokens_per_batch: int | Literal["auto"] = "auto"


def measure_steps(
    source: str, train: Read, held_out: Read, options: StepOptions, along: Callable[[int], Iterable[Any]] = range
) -> CheckpointSteps:
    """Take one step for each batch of training text, all from the checkpoint as it is on disk, and measure it.

    train: at most `MOST_TRAIN` sequences. along: shows progress; given the number of batches, it yields once for each.
    Raises InputError for a source that is not one checkpoint, and as `find_updater`, `draw_batches` and `real_steps`.
    """
    choice, checkpoint = Choice.parse(options.optimizer), only_checkpoint(source)
    model = load_model(checkpoint, device=options.device)
    updater = find_updater(checkpoint.path, model, choice, options.clip)
    train_text, heldout_text = (read(checkpoint.path, model.config) for read in (train, held_out))
    size, number, notes = _sizes(len(train_text.ids), options, updater)
    batches = draw_batches(len(train_text.ids), size, number, options.seed)
    domains = training_domains(updater.rule, train_text)[batches]
    steps = real_steps(
        model, updater, train_text.ids[batches], heldout_text.ids, domains, tokens_per_batch=options.tokens_per_batch
    )
    measured = []
    for rows, _, step in zip(batches, along(number), steps, strict=True):
        losses, seed = step.losses, options.seed
        batch = measure_changes(losses.batch_before, losses.batch_after, train_text.document[rows], seed=seed)
        heldout = measure_changes(step.held_out_before, losses.held_out_after, heldout_text.document, seed=seed)
        of_batch = change_of(train_text.chosen(rows), losses.batch_before, losses.batch_after)
        of_heldout = change_of(heldout_text, step.held_out_before, losses.held_out_after)
        batch, heldout = (
            replace(changes, between=split_factors(change))
            for changes, change in ((batch, of_batch), (heldout, of_heldout))
        )
        measured.append(BatchStep(tuple(rows.tolist()), step.grad_norm, {"batch": batch, "heldout": heldout}))
    unseen = unseen_parts(checkpoint.path, model)
    all_notes = (*updater.notes, *notes, *(part.message for part in unseen))
    length = train_text.ids.shape[1] - 1
    return CheckpointSteps(source, checkpoint.known_step, updater.settings, all_notes, length, tuple(measured), unseen)


def _sizes(available: int, options: StepOptions, updater: Updater) -> tuple[int, int, list[str]]:
    """Sequences of a batch, number of batches, and notes on what was assumed about them."""
    batches, (size, notes) = options.batches, step_size(updater, options.batch_size)
    if available == MOST_TRAIN:
        notes.append(f"batches are drawn from the first {MOST_TRAIN:,} training sequences")
    if batches is None:
        batches = max(1, min(BATCHES, available // size))
        if batches < BATCHES:
            notes.append(f"the training data gives {batches} of {BATCHES} batches")
    return size, batches, notes
