"""The reference model of an objective: a finished run of zerosum, a checkpoint, or a model on the hub."""

import math
from pathlib import Path
from typing import Any

import torch

from zerosum.checkpoints import Checkpoint, load_model, open_run
from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import RECIPE


def find_reference(source: str) -> Checkpoint:
    """The checkpoint that a reference means: of a run the last. Raises InputError where it is missing or unfinished."""
    last = open_run(source).checkpoints[-1]
    recipe_file = Path(source) / RECIPE
    if recipe_file.is_file() and last.step < Recipe.load(recipe_file).steps:
        raise InputError(
            f"{source}: the run is at step {last.step} and not finished, so it is no reference model. Finish it, or "
            "give one of its checkpoints."
        )
    return last


def load_reference(source: str, device: torch.device) -> Any:
    """The reference model in evaluation mode, without gradients. Random generators are restored."""
    with torch.random.fork_rng(devices=[]):
        model = load_model(find_reference(source), device=device)
    for parameter in model.parameters():
        # Copied into memory that torch allocated: tensors in a mapped file are aligned differently, which changes the
        # last digits of matrix products.
        parameter.data = parameter.data.clone()
        parameter.requires_grad_(False)
    return model


def require_readable(model: Any, source: str, vocabulary: int, length: int) -> None:
    """Raise InputError where a reference model has fewer than `vocabulary` token ids, or less context than `length`."""
    context = getattr(model.config, "max_position_embeddings", None) or length
    for what, there, needed in (("token ids", model.config.vocab_size, vocabulary), ("positions", context, length)):
        if there < needed:
            raise InputError(
                f"{source}: a reference model of {there} {what}, and the batches have {needed}. Give a model that was "
                "trained on the same tokens."
            )


def reference_facts(source: str | None) -> dict[str, Any]:
    """Hash of the weights and number of parameters of a reference model, to be recorded with the run."""
    if source is None:
        return {}
    weights = find_reference(source).weights()
    return {
        "reference_sha256": weights.hash(),
        "reference_parameters": sum(math.prod(shape) for shape in weights.named_shapes().values()),
    }
