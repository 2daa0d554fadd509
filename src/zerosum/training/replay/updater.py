"""The optimizer that takes one update from a checkpoint: saved beside the weights, or chosen by a user.

An `Updater` can be reset to the saved state, so that several updates all start from the checkpoint.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Int, Int64
from torch import Tensor, nn

from zerosum.errors import InputError
from zerosum.training.batch_gradient import BatchGradient, backward
from zerosum.training.gradient_rule import PLAIN, GradientRule
from zerosum.training.optimizer_choice import Choice
from zerosum.training.optimizer_settings import OptimizerSettings, single_numbers
from zerosum.training.replay.replayed_rule import replayed_rule
from zerosum.training.replay.saved_states import ParameterStates, bind, read_saved_state

ASSUMED_CLIP = 1.0


@dataclass(frozen=True)
class Updater:
    """How gradients become an update of a model.

    kind: of the optimizer. optimizer: over the model's parameters. state: saved values of each parameter. clip:
    largest norm of the gradient, infinite for none. settings: all numbers of the optimizer, for the record. notes: what
    users have to know, a sentence each. batch_size: sequences in one update of the run; None: not saved. rule: of its
    gradients.
    """

    kind: type[OptimizerSettings]
    optimizer: torch.optim.Optimizer
    state: ParameterStates
    clip: float
    settings: dict[str, Any]
    notes: tuple[str, ...] = ()
    batch_size: int | None = None
    rule: GradientRule = PLAIN

    def restart(self) -> None:
        """Reset the optimizer to its saved state, whatever steps it has taken since, ready for the gradient of a step.

        The parameters hold the weights of the checkpoint before, and those at which gradients are computed after.
        """
        self.optimizer.state.clear()
        numbers = self.kind.saved_layout.single_numbers
        for parameter, values in self.state.items():
            self.optimizer.state[parameter] = {
                key: _number(key, value) if key in numbers else _copy(value, parameter) for key, value in values.items()
            }
        self.kind.load_training_weights(self.optimizer)

    def update(
        self,
        accelerator: Accelerator,
        model: Any,
        batch: Int[np.ndarray, "s L"],
        domain: Int64[np.ndarray, " s"] | None,
        rows: int,
    ) -> BatchGradient:
        """Take the step of a batch of token ids; then the parameters hold the weights that are evaluated and saved.

        domain: of each sequence, all 0 by default. rows: of each pass.
        """
        device = next(model.parameters()).device
        ids = torch.as_tensor(batch, dtype=torch.int64, device=device)
        domains = None if domain is None else torch.as_tensor(domain, device=device)
        gradient = backward(accelerator, model, ids, clip=self.clip, rows=rows, rule=self.rule, domain=domains)
        self.step()
        return gradient

    def step(self) -> None:
        """Take the step of the gradients that the parameters hold; then they hold the weights that are evaluated."""
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.kind.load_evaluation_weights(self.optimizer)


def find_updater(path: Path, model: nn.Module, choice: Choice | None = None, clip: float | None = None) -> Updater:
    """The optimizer that takes a step from a checkpoint.

    path: of the checkpoint. model: loaded from it; its parameters are updated. choice: None means the saved optimizer.
    clip: largest norm of the gradient, 0 or infinite for none; None: that of the run, and 1.0, with a note, where it
    was not saved.
    Raises InputError where no state was saved, it does not fit the model, or its learning rate is 0, and NotReplayable
    where the objective of the run cannot be repeated.
    """
    choice = choice or Choice()
    if clip is not None and not clip >= 0:
        raise InputError(f"--clip {clip}: give a norm above 0, or 0 for no clipping.")
    updater = _saved(path, model, choice.saved_lr) if choice.settings is None else _new(model, choice.settings)
    rule, notes_on_rule = replayed_rule(path, next(model.parameters()).device)
    notes = [*updater.notes, *notes_on_rule]
    largest_norm = updater.clip if clip is None else (clip or math.inf)
    if math.isnan(largest_norm):
        largest_norm = ASSUMED_CLIP
        notes.append(
            "how the run clipped gradients is not saved where it can be read safely: largest norm 1.0 assumed. Give "
            "--clip, 0 for none"
        )
    if all(group["lr"] == 0 for group in updater.optimizer.param_groups):
        raise InputError(
            f"{path}: the rate of the next step is 0, so it changes nothing: the run's schedule had ended. Give a rate "
            "with --optimizer saved:lr=RATE."
        )
    if updater.kind.step_note:
        notes.append(updater.kind.step_note)
    settings = {**updater.settings, "clip": largest_norm if math.isfinite(largest_norm) else None}
    return replace(updater, clip=largest_norm, settings=settings, notes=tuple(notes), rule=rule)


def _saved(path: Path, model: nn.Module, lr: float | None) -> Updater:
    saved = read_saved_state(path, model)
    kind, optimizer, state = bind(saved, saved.lr if lr is None else lr)
    n_parameters = sum(len(group["params"]) for group in optimizer.param_groups)
    notes = []
    if len(state) < n_parameters and kind.saved_layout.state_keys:
        notes.append(f"{n_parameters - len(state)} of {n_parameters} parameters have no moments in {saved.file.name}")
        if not state and kind.first_step_note:
            notes.append(kind.first_step_note)
    if lr is not None:
        notes.append("the rate is the one given, not the saved one")
    clip = math.nan if saved.clip is None else saved.clip
    settings = _record(kind, optimizer, saved.file.name)
    return Updater(kind, optimizer, state, clip, settings, tuple(notes), saved.batch_size)


def _new(model: nn.Module, settings: OptimizerSettings) -> Updater:
    """An optimizer without state. How the run clipped is unknown: `clip` is NaN."""
    optimizer = settings.build(model)
    notes = [settings.first_step_note] if settings.first_step_note else []
    return Updater(type(settings), optimizer, {}, math.nan, _record(type(settings), optimizer, None), tuple(notes))


def _record(kind: type[OptimizerSettings], optimizer: torch.optim.Optimizer, file: str | None) -> dict[str, Any]:
    """Name, file of the saved state, and all settings; weight decay is the largest of the groups, that of matrices.

    lr_factor: rate of the last group over that of the first, where the optimizer has several rates.
    """
    first = optimizer.param_groups[0]
    numbers = single_numbers({key: first[key] for key in kind.model_fields if key in first and key != "kind"})
    if "weight_decay" in numbers:
        numbers["weight_decay"] = max(group["weight_decay"] for group in optimizer.param_groups)
    if "lr_factor" in first:
        numbers["lr_factor"] = optimizer.param_groups[-1]["lr_factor"]
    return {"name": kind.title, "state": file, **numbers}


def _copy(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A copy in the precision of the parameter and on its device."""
    return tensor.detach().to(parameter.device, parameter.dtype, copy=True)


def _number(key: str, tensor: Tensor) -> Tensor | float:
    """A single number: the count of steps is a tensor on the CPU, as torch has it; others are floats."""
    return tensor.detach().to("cpu", torch.float32, copy=True) if key == "step" else tensor.item()
