"""Which optimizer takes the step: the one saved beside the weights, or the one that the user chose."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from zerosum.errors import InputError
from zerosum.training.optimizer_states import hugging_face, ours
from zerosum.training.optimizer_states._bind import bind
from zerosum.training.optimizer_states._choice import NUMBERS, SAVED, Choice
from zerosum.training.optimizer_states._saved import by_shape
from zerosum.training.optimizer_states._updater import Updater

SOURCES = (ours, hugging_face)
ASSUMED_CLIP = 1.0
_SIGN_STEP = (
    "no moments: in its first step AdamW moves every coordinate by about the rate times the sign of its gradient, as "
    "no later step of a run does"
)


def find_updater(path: Path, model: nn.Module, choice: Choice | None = None, clip: float | None = None) -> Updater:
    """The optimizer of a checkpoint's model.

    path: of the checkpoint. model: its model, whose parameters are updated. clip: largest norm of the gradient, 0 or
    infinite for none; None: the run's own, and where nothing says it 1.0, as a note tells.
    Raises InputError where no state was saved, it does not fit the model, or its rate is 0.
    """
    choice = choice or Choice()
    if clip is not None and not clip >= 0:
        raise InputError(f"--clip {clip}: give a norm above 0, or 0 for no clipping.")
    found = _saved(path, model, choice) if choice.name == SAVED else _fresh(model, choice)
    notes = list(found.notes)
    largest = found.clip if clip is None else (clip or math.inf)
    if math.isnan(largest):
        largest = ASSUMED_CLIP
        notes.append(
            "how the run clipped gradients is not saved where it can be read safely: largest norm 1.0 assumed. Give "
            "--clip, 0 for none"
        )
    if all(group["lr"] == 0 for group in found.optimizer.param_groups):
        raise InputError(
            f"{path}: the rate of the next step is 0, so it changes nothing: the run's schedule had ended. Give a rate "
            "with --optimizer saved:lr=RATE."
        )
    settings = {**found.settings, "clip": largest if math.isfinite(largest) else None}
    return Updater(found.optimizer, found.state, largest, settings, tuple(notes), found.batch_size)


def _saved(path: Path, model: nn.Module, choice: Choice) -> Updater:
    source = next((one for one in SOURCES if path.is_dir() and one.matches(path)), None)
    if source is None:
        raise InputError(
            f"{path}: no optimizer state beside the weights (optimizer.pt of Trainer, training_state.pt of zerosum). "
            "Give --optimizer adamw:lr=RATE for a step without it."
        )
    saved = source.load(path, model)
    optimizer, state = bind(saved, choice.numbers.get("lr", saved.lr))
    every = sum(len(group["params"]) for group in optimizer.param_groups)
    notes = []
    if len(state) < every and not isinstance(optimizer, torch.optim.SGD):
        notes.append(f"{every - len(state)} of {every} parameters have no moments in {saved.file.name}")
        if not state:
            notes.append(_SIGN_STEP)
    if "lr" in choice.numbers:
        notes.append("the rate is the one given, not the saved one")
    clip = math.nan if saved.clip is None else saved.clip
    return Updater(optimizer, state, clip, _settings(optimizer, saved.file.name), tuple(notes), saved.batch_size)


def _fresh(model: nn.Module, choice: Choice) -> Updater:
    """Nothing saved: matrices decay, vectors do not."""
    numbers: dict[str, Any] = {**NUMBERS[choice.name], **choice.numbers}
    decay = numbers.pop("weight_decay")
    groups: list[dict[str, Any]] = [
        {"params": [one for _, one in named], "weight_decay": decay if k == 0 else 0.0}
        for k, named in enumerate(by_shape(model))
    ]
    try:
        if choice.name == "sgd":
            return _new(torch.optim.SGD(groups, **numbers))
        betas = (numbers.pop("beta1"), numbers.pop("beta2"))
        return _new(torch.optim.AdamW(groups, betas=betas, **numbers), _SIGN_STEP)
    except ValueError as error:
        raise InputError(f"--optimizer {choice.name}: {error}. Choose another number.") from error


def _new(optimizer: torch.optim.Optimizer, *notes: str) -> Updater:
    return Updater(optimizer, {}, math.nan, _settings(optimizer, None), notes)


def _settings(optimizer: torch.optim.Optimizer, file: str | None) -> dict[str, Any]:
    """Its numbers; where groups differ, the first that has another than 0, which is the decay of matrices."""
    first = optimizer.param_groups[0]
    settings: dict[str, Any] = {"name": type(optimizer).__name__, "state": file, "lr": first["lr"]}
    if "betas" in first:
        settings |= {"beta1": first["betas"][0], "beta2": first["betas"][1], "eps": first["eps"]}
    else:
        settings["momentum"] = first["momentum"]
    settings["weight_decay"] = max(group["weight_decay"] for group in optimizer.param_groups)
    return settings
