"""The training loop: takes a recipe and writes a run directory. Knows models, data and optimizers, no measurements.

    from zerosum.training import Recipe, train
    train(Recipe(name="100k", steps=2048), "runs/100k")

To add an optimizer, add a file to `zerosum.training.optimizers`; to watch training, write a `Callback`.

Names are imported on first use, because most modules load torch; `recipe`, `text`, `callback` and the optimizers'
settings do not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.training.batches import batch
    from zerosum.training.callback import AfterStep, BeforeStep, Callback, TrainingContext
    from zerosum.training.loop import train
    from zerosum.training.optimizer_choice import build_optimizer
    from zerosum.training.processes import side_by_side
    from zerosum.training.recipe import Recipe
    from zerosum.training.replay.one_step import SavedSteps, one_step_losses
    from zerosum.training.state import TrainingState, restore
    from zerosum.training.step import StepResult, optimizer_step

_MODULE_OF = {
    "AfterStep": "callback",
    "BeforeStep": "callback",
    "Callback": "callback",
    "Recipe": "recipe",
    "StepResult": "step",
    "TrainingContext": "callback",
    "TrainingState": "state",
    "batch": "batches",
    "build_optimizer": "optimizer_choice",
    "SavedSteps": "replay.one_step",
    "one_step_losses": "replay.one_step",
    "optimizer_step": "step",
    "restore": "state",
    "side_by_side": "processes",
    "train": "loop",
}

__all__ = [
    "AfterStep",
    "BeforeStep",
    "Callback",
    "Recipe",
    "SavedSteps",
    "StepResult",
    "TrainingContext",
    "TrainingState",
    "batch",
    "build_optimizer",
    "one_step_losses",
    "optimizer_step",
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
