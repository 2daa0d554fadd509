"""The mean loss of held-out text while a model trains."""

import torch
from torch.nn import functional

from zerosum.losses.forward import logits_of
from zerosum.tokens import PADDING
from zerosum.training.state import TrainingState
from zerosum.training.step import cpu_threads

COLUMN = "held_out_loss"


@torch.no_grad()
def held_out_loss(state: TrainingState) -> float | None:
    """Mean cross-entropy of the recipe's held-out sequences, nats per token, in float32 and without dropout.

    None where the recipe asks for none. Every process computes all of it: they have to call it together. At the weights
    that the optimizer evaluates.
    """
    recipe, model = state.recipe, state.plain_model
    if not recipe.held_out:
        return None
    tokens = torch.from_numpy(recipe.data.open().held_out(recipe.held_out, recipe.batch.length).ids)
    rows = -(-recipe.batch.sequences // state.accelerator.num_processes // recipe.batch.passes)
    model.eval()
    total, n_predicted = 0.0, 0
    with recipe.optimizer.evaluation_weights(state.plain_optimizer), cpu_threads(recipe.threads):
        for ids in torch.split(tokens.to(state.accelerator.device), rows):
            expected = ids[:, 1:].flatten()
            logits = logits_of(model, ids[:, :-1].clamp(min=0)).float().flatten(0, 1)
            total += functional.cross_entropy(logits, expected, ignore_index=PADDING, reduction="sum").item()
            n_predicted += int((expected != PADDING).sum())
    model.train()
    return total / n_predicted
