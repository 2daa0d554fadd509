"""Floating-point operations of an update, counted while it is made."""

from torch.utils.flop_counter import FlopCounterMode

from zerosum.training.batches import batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state, preserved_generators
from zerosum.training.step import optimizer_step


def flops_of_update(recipe: Recipe) -> int:
    """Operations of the matrix products and attentions of an update: forward, backward, reference model, optimizer.

    Elementwise work is not counted. A multiplication and an addition count as two. Makes a first update in memory.
    """
    plain = recipe.model_copy(update={"start": None})
    state = new_state(plain)
    with preserved_generators(state.accelerator.device), FlopCounterMode(display=False) as counter:
        optimizer_step(state, batch(plain, 0))
    return int(counter.get_total_flops())
