"""One real step of a saved optimizer as the update whose effect on per-token gradients is measured."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from zerosum.checkpoints import Checkpoint
from zerosum.gradients.run import Update, UpdateOf
from zerosum.tokens import TokenSequences
from zerosum.training.one_update import one_update
from zerosum.training.real_steps import draw_batches
from zerosum.training.updater import find_updater

BATCH_SIZE = 32  # training sequences of a step, where the run does not say
MOST_TRAIN = 4_096  # sequences of training text that a batch is drawn from, as `read` gives them


def saved_step(read: Callable[[Path, Any], TokenSequences], seed: int, tokens_per_batch: Any) -> UpdateOf:
    """The update of each checkpoint: one step of its saved optimizer on a batch drawn from training text.

    read: gives that text as tokens for a checkpoint's folder and its model's config. seed: of the draw.
    tokens_per_batch: as for `one_update`. Raises InputError where a checkpoint has no usable optimizer state.
    """

    def update(checkpoint: Checkpoint, model: Callable[[], Any]) -> Update:
        updater, text = find_updater(checkpoint.path, model()), read(checkpoint.path, model().config)
        size = updater.batch_size or BATCH_SIZE
        rows = draw_batches(len(text.ids), size, 1, seed)[0]
        assumed = [] if updater.batch_size else [f"the run's batch size is not saved: {BATCH_SIZE} sequences assumed"]
        note = f"update: one step of {updater.settings['name']} on {size} training sequences"
        decides = {"train": text.sha256, "batch_size": size, "optimizer": updater.settings}
        make = partial(one_update, model(), updater, text.ids[rows], tokens_per_batch=tokens_per_batch)
        return Update(make, decides, (note, *assumed, *updater.notes))

    return update
