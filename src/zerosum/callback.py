"""Callbacks: code that runs beside training, reads it, and may write values into the log. Needs no torch.

class WeightNorm(Callback):
    def after_step(self, context):
        return {"weight_norm": sum(float(p.detach().norm()) ** 2 for p in context.model.parameters()) ** 0.5}

train(recipe, "runs/a", callbacks=(WeightNorm(),))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Int64

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainingContext:
    """The run at one moment. step: number of updates made so far, as in `checkpoint-<step>`.

    model: without the wrapper of data-parallel training. optimizer: as `build_optimizer` builds it. Where several
    processes share the weights (`sharding: fsdp`), parameters and moments are DTensors of torch, of which each process
    holds a part; in `on_checkpoint` the model is a copy with whole weights on the CPU.
    """

    step: int
    model: "torch.nn.Module"
    optimizer: "torch.optim.Optimizer"


@dataclass(frozen=True)
class BeforeStep(TrainingContext):
    """The run before an update. batch: [sequences, length + 1] token ids of the update, of all processes together."""

    batch: Int64[np.ndarray, "sequence window"]


@dataclass(frozen=True)
class AfterStep(BeforeStep):
    """The run after an update; `step` counts it. loss: mean over its batch before the update, nats per token.

    lr: learning rate of the update. grad_norm: Euclidean norm of the gradient before clipping.
    """

    loss: float
    lr: float
    grad_norm: float


class Callback:
    """Base class of callbacks: subclass it and define the methods that are needed.

    A callback only reads. Random generators of torch, training modes of modules, and gradients are restored after each
    call; a change of weights, buffers or the optimizer that torch can see raises InputError: work on a copy of the
    model, or write an optimizer. Calls are made in the main process only. Where several processes share the weights,
    `before_step`, `after_step` and `load_state_dict` are called in all of them, because a sum over a DTensor needs all;
    the values of the main process are logged.

    at_evaluation_weights: whether the parameters hold, during calls around an update, the weights that the optimizer
    evaluates (those of a checkpoint) instead of those that it trains at; for most optimizers both are the same.
    is_trusted: whether calls after an update are made without the checks that they only read, which take longer than
    small work of their own. For callbacks whose code is known to draw no random numbers and to change nothing.
    """

    at_evaluation_weights: ClassVar[bool] = False
    is_trusted: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """Name under which the state is saved; different for each callback of a run."""
        return type(self).__name__

    def is_due(self, update: int) -> bool:
        """Whether to make the calls around an update; the first is 1. Each costs about 0.1 ms.

        Asked before and after the update, and has to answer the same.
        """
        return True

    def before_step(self, context: BeforeStep) -> None:
        """Called before each update."""

    def after_pass(self, context: BeforeStep) -> Callable[[int], None] | None:
        """Called before each update; what it returns is called after each of its backward passes, if it has several.

        That is so where the recipe has `batch.passes`, but not with an aggregator, which computes several gradients in
        a pass. Gradients are then the sum over the passes so far, and not clipped yet. It gets the number of predicted
        tokens of the pass, over which its loss is a sum, divided by the same number in all passes.
        """
        return None

    def after_step(self, context: AfterStep) -> Mapping[str, float] | None:
        """Called after each update; the values returned are written into its row of `metrics.jsonl`.

        Values that are not finite are written as null. Raises InputError where a name is a column of the log itself or
        of another callback.
        """
        return None

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        """Called while each checkpoint is written, that of step 0 included.

        folder: not yet under its final name; files written into it appear together with the checkpoint or not at all.
        """

    def state_dict(self) -> Mapping[str, Any]:
        """What a resumed run needs to continue exactly: numbers, texts, lists, dicts (JSON), and tensors of torch.

        Saved with each checkpoint, after `on_checkpoint`.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Called once before a resumed run continues, with what `state_dict` returned; tensors are on the CPU.

        JSON makes lists of tuples, and texts of the keys of dicts. Not called where `state_dict` returned nothing.
        """
