"""Builds an optimizer from its saved state: finds the state of every parameter and checks every shape."""

from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from zerosum.errors import InputError
from zerosum.training.optimizer_settings import OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.replay.saved_states._saved_state import ParameterStates, SavedState
from zerosum.training.settings import first_problem

_INSTEAD = "Give --optimizer adamw:lr=RATE for a step without it"


def bind(saved: SavedState, lr: float | None) -> tuple[type[OptimizerSettings], torch.optim.Optimizer, ParameterStates]:
    """The class of the optimizer's settings, the optimizer with the saved numbers, and its state by parameter.

    lr: learning rate in place of the saved one; None: the saved one. The saved choice of kernel (fused, foreach,
    capturable) is ignored: it changes only the last digits.
    Raises InputError where the state is of another optimizer or of another model.
    """
    try:
        groups, states = list(saved.content["param_groups"]), dict(saved.content["state"])
        numbers = [list(group["params"]) for group in groups]
        settings = _recognize(saved, groups, states)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{saved.file}: no state of an optimizer of torch. {_INSTEAD}.") from error
    _require_sizes(saved, [len(group) for group in numbers])
    parameters = [named for group in saved.groups for named in group]
    parameter_states = {
        parameter: _parameter_state(saved, settings, name, parameter, states[number])
        for (name, parameter), number in zip(parameters, [n for group in numbers for n in group], strict=True)
        if states.get(number)
    }
    return settings, _optimizer(saved, lr, settings, groups), parameter_states


def _recognize(
    saved: SavedState, groups: list[dict[str, Any]], states: dict[Any, dict[str, Any]]
) -> type[OptimizerSettings]:
    """The optimizer that the source names, or whose layout the state has; of several, the most specific layout."""
    names = OPTIMIZERS.names() if saved.optimizer is None else (saved.optimizer,)
    matching = [
        settings
        for settings in map(OPTIMIZERS.settings, names)
        if settings.saved_layout.matches(groups, states)
        and (saved.optimizer is not None or settings.was_saved_in(groups))
    ]
    if matching:
        return max(matching, key=lambda settings: len(settings.saved_layout.group_keys))
    keys = sorted({str(key) for state in states.values() for key in state} or {str(key) for key in groups[0]})
    raise InputError(
        f"{saved.file}: of an optimizer that is not known here (it keeps {', '.join(keys)[:120]!a}); "
        f"known: {', '.join(names)}. {_INSTEAD}."
    )


def _require_sizes(saved: SavedState, sizes: list[int]) -> None:
    expected = [len(group) for group in saved.groups]
    if sizes != expected:
        raise InputError(
            f"{saved.file}: its groups hold {_listed(sizes)} parameters, those of the model {_listed(expected)} "
            f"({saved.rule}): of another model, or grouped in another way. {_INSTEAD}."
        )


def _listed(sizes: list[int]) -> str:
    return " and ".join(map(str, sizes[:6])) or "no"


def _parameter_state(
    saved: SavedState, settings: type[OptimizerSettings], name: str, parameter: nn.Parameter, state: dict[str, Any]
) -> dict[str, Tensor]:
    """The saved values of one parameter. Raises InputError where a tensor has another shape than the parameter."""
    tensors = {key: _tensor(value) for key, value in state.items() if value is not None}
    for key, tensor in tensors.items():
        expected = torch.Size() if key in settings.saved_layout.single_numbers else parameter.shape
        if tensor.shape != expected:
            raise InputError(
                f"{saved.file}: {key} of {name} has shape {tuple(tensor.shape)}, and the parameter "
                f"{tuple(parameter.shape)}: of another model, or in another order ({saved.rule}). {_INSTEAD}."
            )
    return tensors


def _tensor(value: Any) -> Tensor:
    """A number keeps all its digits."""
    return torch.tensor(value, dtype=torch.float64) if isinstance(value, float) else torch.as_tensor(value)


def _optimizer(
    saved: SavedState, lr: float | None, settings: type[OptimizerSettings], groups: list[dict[str, Any]]
) -> torch.optim.Optimizer:
    layout = settings.saved_layout
    try:
        bound = []
        for group, named in zip(groups, saved.groups, strict=True):
            numbers = {key: group[key] for key in (*layout.group_keys, *layout.optional_group_keys) if key in group}
            numbers["lr"] = float(group["lr"] if lr is None else lr * group.get("lr_factor", 1.0))
            _require_range(settings, numbers)
            bound.append({**numbers, "params": [parameter for _, parameter in named]})
        return settings.new(bound)
    except (ValueError, TypeError, KeyError) as error:
        cause = first_problem(error, settings) if isinstance(error, ValidationError) else str(error)
        raise InputError(f"{saved.file}: numbers that cannot be ({cause[:120]!a}). {_INSTEAD}.") from error


def _require_range(settings: type[OptimizerSettings], numbers: dict[str, Any]) -> None:
    """Raise ValueError where a number of a group is out of the range that the settings declare."""
    plain = {key: float(value) if isinstance(value, Tensor) else value for key, value in numbers.items()}
    settings.model_validate({key: plain[key] for key in settings.model_fields if key in plain})
