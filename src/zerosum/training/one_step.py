"""What one real optimizer step does to every token: the step t -> t+1 of a run, taken again from its checkpoint.

The batch is a function of (recipe, step) and the checkpoint holds the optimizer's state, so the step is the very one
that the run took, bit for bit; from the last checkpoint it is the step that the run would have taken next.
"""

import numpy as np
from jaxtyping import Int

from zerosum.checkpoints import Checkpoint
from zerosum.losses import StepLosses, token_losses
from zerosum.training.batches import batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import generators_put_back, restore
from zerosum.training.step import optimizer_step


def one_step_losses(recipe: Recipe, checkpoint: Checkpoint, held_out: Int[np.ndarray, "S L"]) -> StepLosses:
    """Per-token losses around the step after `checkpoint`; the checkpoint and torch's generators stay untouched.

    held_out: token ids, L = T + 1 of them to predict T. Losses are in nats.
    """
    with generators_put_back(recipe):
        state = restore(checkpoint.path, recipe)
        tokens = batch(recipe, state.step)
        before = token_losses(state.plain_model, tokens)
        optimizer_step(state, tokens)
        return StepLosses(
            batch_before=before,
            batch_after=token_losses(state.plain_model, tokens),
            held_out_after=token_losses(state.plain_model, held_out),
        )
