"""One real step of a saved optimizer as the update whose effect on per-token gradients is measured."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from zerosum.checkpoints import Checkpoint
from zerosum.gradients.run import Update, UpdateOf
from zerosum.tokens import TokenSequences
from zerosum.training.optimizer_choice import Choice
from zerosum.training.replay.one_update import one_update
from zerosum.training.replay.real_steps import draw_batches, step_size
from zerosum.training.replay.replayed_rule import training_domains
from zerosum.training.replay.unseen import unseen_parts
from zerosum.training.replay.updater import find_updater


def saved_step(
    read: Callable[[Path, Any], TokenSequences],
    optimizer: Choice,
    clip: float | None,
    batch_size: int | None,
    seed: int,
    tokens_per_batch: Any,
) -> UpdateOf:
    """The update of each checkpoint: one step of its optimizer on a batch drawn from training text.

    read: gives that text as tokens for a checkpoint's folder and its model's config. optimizer, clip: as for
    `find_updater`. batch_size: sequences; None: the run's. seed: of the draw. tokens_per_batch: as for `one_update`.
    Raises InputError where a checkpoint has no usable optimizer state.
    """

    def update(checkpoint: Checkpoint, model: Callable[[], Any]) -> Update:
        updater = find_updater(checkpoint.path, model(), optimizer, clip)
        text, (size, assumed) = read(checkpoint.path, model().config), step_size(updater, batch_size)
        rows = draw_batches(len(text.ids), size, 1, seed)[0]
        note = f"update: one step of {updater.settings['name']} on {size} training sequences"
        unseen = [part.message for part in unseen_parts(checkpoint.path, model())]
        decides = {"train": text.sha256, "batch_size": size, "optimizer": updater.settings, **updater.rule.record()}
        domain = training_domains(updater.rule, text)[rows]
        make = partial(one_update, model(), updater, text.ids[rows], domain, tokens_per_batch=tokens_per_batch)
        return Update(make, decides, (note, *assumed, *updater.notes, *unseen))

    return update
