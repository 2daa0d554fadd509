"""Per-token losses before and after one optimizer step of a run, t -> t+1, repeated from its checkpoint.

The batch is a function of recipe and step, and the checkpoint holds the optimizer's state, so the step equals that of
the run bit for bit; from the last checkpoint it is the step that the run would have taken next.
"""

import numpy as np
from jaxtyping import Int

from zerosum.checkpoints import Checkpoint
from zerosum.losses import StepLosses, token_losses
from zerosum.training.batches import batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_accelerator, preserved_generators, restore
from zerosum.training.step import optimizer_step


def one_step_losses(recipe: Recipe, checkpoint: Checkpoint, held_out: Int[np.ndarray, "S L"]) -> StepLosses:
    """Per-token losses, in nats, before and after the step that follows `checkpoint`.

    held_out: S sequences of L = T + 1 token ids, which predict T tokens. The checkpoint is only read, and torch's
    random generators are restored.
    """
    with preserved_generators(new_accelerator(recipe).device):
        state = restore(checkpoint.path, recipe)
        tokens = batch(recipe, state.step)
        before = token_losses(state.plain_model, tokens)
        optimizer_step(state, tokens)
        return StepLosses(
            batch_before=before,
            batch_after=token_losses(state.plain_model, tokens),
            held_out_after=token_losses(state.plain_model, held_out),
        )
