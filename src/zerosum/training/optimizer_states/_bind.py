"""From the state of an optimizer to the optimizer itself: every parameter found, every shape checked."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.errors import InputError
from zerosum.training.optimizer_states._saved import SavedState
from zerosum.training.optimizer_states._updater import State

_INSTEAD = "Give --optimizer adamw:lr=RATE for a step without it"


@dataclass(frozen=True)
class _Kind:
    """An optimizer of torch. numbers: of its groups. state: of each parameter, all of it or none; may: beside it.

    The numbers tell it from others that keep tensors of the same names.
    """

    numbers: tuple[str, ...]
    state: frozenset[str]
    may: frozenset[str] = frozenset()


_ADAM = _Kind(
    ("lr", "betas", "eps", "weight_decay", "amsgrad", "maximize"),
    frozenset({"step", "exp_avg", "exp_avg_sq"}),
    frozenset({"max_exp_avg_sq"}),
)
_SGD = _Kind(
    ("lr", "momentum", "dampening", "weight_decay", "nesterov", "maximize"), frozenset(), frozenset({"momentum_buffer"})
)


def bind(saved: SavedState, lr: float | None = None) -> tuple[torch.optim.Optimizer, State]:
    """The optimizer of torch with the saved numbers, and its state by parameter. lr: another rate than the saved one.

    How its arithmetic was arranged (fused, foreach, capturable) is left out: it changes nothing but the last digits.
    Raises InputError where the state is of another optimizer or of another model.
    """
    try:
        groups, state = list(saved.content["param_groups"]), dict(saved.content["state"])
        ids = [list(group["params"]) for group in groups]
        kind = _kind(saved, groups[0], state)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{saved.file}: no state of an optimizer of torch. {_INSTEAD}.") from error
    _require_sizes(saved, [len(one) for one in ids])
    parameters = [named for group in saved.groups for named in group]
    known = {
        parameter: _state_of(saved, kind, name, parameter, state[number])
        for (name, parameter), number in zip(parameters, [one for group in ids for one in group], strict=True)
        if state.get(number)
    }
    return _optimizer(saved, lr, kind, groups), known


def _kind(saved: SavedState, group: dict[str, Any], state: dict[Any, Any]) -> _Kind:
    for kind in (_ADAM, _SGD):
        if all(name in group for name in kind.numbers[:5]) and all(
            kind.state <= set(one) <= kind.state | kind.may for one in state.values()
        ):
            return kind
    names = sorted({str(name) for one in state.values() for name in one} or {str(name) for name in group})
    raise InputError(
        f"{saved.file}: of an optimizer that is not known here (it keeps {', '.join(names)[:120]!a}); AdamW, Adam and "
        f"SGD of torch are. {_INSTEAD}."
    )


def _require_sizes(saved: SavedState, found: list[int]) -> None:
    expected = [len(group) for group in saved.groups]
    if found != expected:
        raise InputError(
            f"{saved.file}: its groups hold {_listed(found)} parameters, those of the model {_listed(expected)} "
            f"({saved.rule}): of another model, or grouped in another way. {_INSTEAD}."
        )


def _listed(sizes: list[int]) -> str:
    return " and ".join(map(str, sizes[:6])) or "no"


def _state_of(
    saved: SavedState, kind: _Kind, name: str, parameter: nn.Parameter, found: dict[str, Any]
) -> dict[str, Tensor]:
    """The tensors of one parameter. Raises InputError where one of them has another shape."""
    tensors = {key: torch.as_tensor(value) for key, value in found.items() if value is not None}
    for key, tensor in tensors.items():
        expected = torch.Size() if key == "step" else parameter.shape
        if tensor.shape != expected:
            raise InputError(
                f"{saved.file}: {key} of {name} has shape {tuple(tensor.shape)}, and the parameter "
                f"{tuple(parameter.shape)}: of another model, or in another order ({saved.rule}). {_INSTEAD}."
            )
    return tensors


def _optimizer(saved: SavedState, lr: float | None, kind: _Kind, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    try:
        rates = [group["lr"] if lr is None else lr for group in groups]
        numbered = [
            {"params": [one for _, one in named], **{name: group[name] for name in kind.numbers}, "lr": float(rate)}
            for group, named, rate in zip(groups, saved.groups, rates, strict=True)
        ]
        if not all(_possible(one) for one in numbered):
            raise ValueError(f"rates, betas or decay of {numbered[0]['lr']}, {numbered[0].get('betas')}")
        if kind is _SGD:
            return torch.optim.SGD(numbered, lr=numbered[0]["lr"])
        coupled = any(group.get("decoupled_weight_decay") is False for group in groups)  # older states do not say it
        return (torch.optim.Adam if coupled else torch.optim.AdamW)(numbered)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{saved.file}: numbers that cannot be ({str(error)[:120]!a}). {_INSTEAD}.") from error


def _possible(numbers: dict[str, Any]) -> bool:
    """Whether numbers of a group are what an optimizer can have; torch checks only what all groups share."""
    sizes = [float(numbers[name]) for name in ("lr", "eps", "weight_decay", "momentum") if name in numbers]
    return all(0 <= one < math.inf for one in sizes) and all(0 <= one < 1 for one in numbers.get("betas", ()))
