"""The mean loss of held-out text while a model trains."""

import torch
from torch.nn import functional

from zerosum.errors import InputError
from zerosum.losses.forward import logits_of
from zerosum.tokens import PADDING, TokenSequences
from zerosum.training.recipe import Recipe
from zerosum.training.state import TrainingState
from zerosum.training.step import cpu_threads

COLUMN = "held_out_loss"
SEQUENCES = 256


def held_out_tokens(
    recipe: Recipe, sequences: int | None = None, length: int | None = None, most: int = SEQUENCES
) -> TokenSequences:
    """Held-out sequences of the run's data: so many, or the most of `most`, half of it, a quarter, ... that there are.

    length: predicted tokens of each; without it that of the training batches. Raises InputError where the data have
    none.
    """
    data, number = recipe.data.open(), sequences or most
    while True:
        try:
            return data.held_out(number, length or recipe.batch.length)
        except InputError:
            if sequences or number <= 1:
                raise
            number //= 2


def require_held_out(recipe: Recipe) -> None:
    """Raise InputError where the data have fewer held-out sequences than the recipe asks for."""
    try:
        if recipe.held_out:
            recipe.data.open().held_out(recipe.held_out, recipe.batch.length)
    except InputError as error:
        raise InputError(f"held_out {recipe.held_out}: {error} Set held_out to 0 for no held-out loss.") from error


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
