"""Per-token losses before and after one optimizer step of a run, t -> t+1, repeated from its checkpoint.

The batch is a function of recipe and step, and the checkpoint holds the optimizer's state, so the step equals that of
the run bit for bit; from the last checkpoint it is the step that the run would have taken next.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int
from torch import nn

from zerosum.checkpoints import Checkpoint
from zerosum.losses import StepLosses, token_losses
from zerosum.training.batches import batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import TrainingState, new_accelerator, preserved_generators, restore
from zerosum.training.step import optimizer_step


def one_step_losses(recipe: Recipe, checkpoint: Checkpoint, held_out: Int[np.ndarray, "S L"]) -> StepLosses:
    """Per-token losses, in nats, before and after the step that follows `checkpoint`.

    held_out: S sequences of L = T + 1 token ids, which predict T tokens. The checkpoint is only read, and torch's
    random generators are restored.
    """
    return SavedSteps(recipe).losses(checkpoint, held_out)


@dataclass
class SavedSteps:
    """The checkpoints of a run, each read once: for its own losses, and then for those around its next step."""

    recipe: Recipe
    _restored: tuple[Checkpoint, TrainingState] | None = field(default=None, init=False)

    def load(self, checkpoint: Checkpoint) -> nn.Module:
        """The model of a checkpoint; it stays as it is when `losses` takes a step from it."""
        return self._state(checkpoint).plain_model

    def losses(self, checkpoint: Checkpoint, held_out: Int[np.ndarray, "S L"]) -> StepLosses:
        """See `one_step_losses`."""
        state, self._restored = self._state(checkpoint), None
        model, optimizer = state.plain_model, self.recipe.optimizer
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        with preserved_generators(new_accelerator(self.recipe).device):
            step_batch = batch(self.recipe, state.step)
            tokens = step_batch.ids
            before = token_losses(model, tokens)
            optimizer.load_training_weights(state.plain_optimizer)
            optimizer_step(state, step_batch)
            optimizer.load_evaluation_weights(state.plain_optimizer)
            found = StepLosses(
                batch_before=before,
                batch_after=token_losses(model, tokens),
                held_out_after=token_losses(model, held_out),
            )
        model.load_state_dict(weights)
        return found

    def _state(self, checkpoint: Checkpoint) -> TrainingState:
        if self._restored is None or self._restored[0] != checkpoint:
            self._restored = None  # one at a time in memory
            with preserved_generators(new_accelerator(self.recipe).device):
                state = restore(checkpoint.path, self.recipe)
            self.recipe.optimizer.load_evaluation_weights(state.plain_optimizer)
            self._restored = checkpoint, state
        return self._restored[1]
