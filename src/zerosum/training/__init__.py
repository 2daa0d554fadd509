"""Our training loop: recipes in, run directories out. Knows models, data and optimizers; knows nothing of measurements.

    from zerosum.training import Recipe, train
    train(Recipe(name="100k", steps=2048), "runs/100k")

`zerosum.training.recipe` and `.text` need no torch; the other modules load it, so names are imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.training.batches import batch
    from zerosum.training.loop import train
    from zerosum.training.one_step import one_step_losses
    from zerosum.training.processes import side_by_side
    from zerosum.training.recipe import Recipe
    from zerosum.training.state import TrainingState, restore
    from zerosum.training.step import StepResult, optimizer_step
    from zerosum.training.text import held_out_tokens, read_text

_MODULE_OF = {
    "Recipe": "recipe",
    "StepResult": "step",
    "TrainingState": "state",
    "batch": "batches",
    "held_out_tokens": "text",
    "one_step_losses": "one_step",
    "optimizer_step": "step",
    "read_text": "text",
    "restore": "state",
    "side_by_side": "processes",
    "train": "loop",
}

__all__ = [
    "Recipe",
    "StepResult",
    "TrainingState",
    "batch",
    "held_out_tokens",
    "one_step_losses",
    "optimizer_step",
    "read_text",
    "restore",
    "side_by_side",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'zerosum.training' has no attribute {name!r}")
    return getattr(import_module(f"zerosum.training.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
