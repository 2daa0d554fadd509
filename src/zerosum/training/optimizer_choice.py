"""Optimizers as people write them, `adamw:lr=3e-4,beta1=0.9` or `saved`, and `build_optimizer`. Needs no torch."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerosum.errors import InputError
from zerosum.training.optimizer_settings import OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    import torch

SAVED = "saved"


def build_optimizer(optimizer: str | OptimizerSettings, model: "torch.nn.Module") -> "torch.optim.Optimizer":
    """Build an optimizer over the trainable parameters of a model; matrices decay, vectors (norms, biases) do not.

    optimizer: a name ("adamw"), a name with numbers ("adamw:lr=3e-4,beta2=0.95"), or settings such as
    `AdamWSettings(lr=3e-4)`. Numbers that are not given have torch's defaults. The optimizer does not clip gradients:
    `clip` of the settings is for the training loop. Where the weights that are evaluated are not those that are trained
    (schedule_free), evaluate and save inside `settings.evaluation_weights(optimizer)`.
    Raises InputError where the name or a number is not known or a number is out of range.

    >>> import torch
    >>> build_optimizer("sgd:lr=0.1", torch.nn.Linear(2, 2)).param_groups[1]["lr"]
    0.1
    """
    settings = read_settings(optimizer) if isinstance(optimizer, str) else optimizer
    return settings.build(model)


def read_settings(text: str) -> OptimizerSettings:
    """Settings from a text like "adamw:lr=3e-4". Raises InputError as `build_optimizer` does."""
    name, _, rest = text.partition(":")
    settings = OPTIMIZERS.settings(name)
    try:
        return settings.from_options(_numbers(name, rest, settings.options()))
    except InputError as error:
        raise InputError(f"optimizer {text}: {error}") from error


@dataclass(frozen=True)
class Choice:
    """The optimizer that takes a step from a checkpoint.

    settings: of a new optimizer; None: the optimizer that was saved in the checkpoint. saved_lr: learning rate in
    place of the saved one; None: the saved one.
    """

    settings: OptimizerSettings | None = None
    saved_lr: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """The choice that a text like "saved", "saved:lr=1e-4" or "adamw:lr=3e-4" states.

        Raises InputError where it names no optimizer, a number that the optimizer does not have, a number out of
        range, or no learning rate for a new optimizer.

        >>> Choice.parse("saved:lr=1e-4").saved_lr
        0.0001
        >>> Choice.parse("adamw:lr=3e-4,beta2=0.95").settings.betas
        (0.9, 0.95)
        """
        name, _, rest = text.partition(":")
        if name not in (SAVED, *OPTIMIZERS.names()):
            raise InputError(f"--optimizer {text}: {name!r} is not known. Choose {_examples()}.")
        try:
            if name == SAVED:
                return cls(saved_lr=_numbers(name, rest, ("lr",)).get("lr"))
            settings = OPTIMIZERS.settings(name)
            numbers = _numbers(name, rest, settings.options())
            if "lr" not in numbers:
                raise InputError(f"no learning rate. Write {name}:lr=RATE.")
            return cls(settings.from_options(numbers))
        except InputError as error:
            raise InputError(f"--optimizer {text}: {error}") from error


def _examples() -> str:
    """Every possible choice; of each optimizer all its numbers, with their defaults."""
    examples = ["saved", "saved:lr=RATE"]
    for name in OPTIMIZERS.names():
        numbers = [f"{key}={value:g}" for key, value in OPTIMIZERS.settings(name).options().items() if key != "lr"]
        examples.append(f"{name}:{','.join(['lr=RATE', *numbers])}")
    return f"{', '.join(examples[:-1])} or {examples[-1]}"


def _numbers(name: str, text: str, allowed: Iterable[str]) -> dict[str, float]:
    """Numbers of the optimizer `name` from a text like "lr=3e-4,beta1=0.9"; allowed: which numbers it has."""
    numbers = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in allowed:
            raise InputError(f"{name} has no {key!r}. It has {', '.join(allowed)}.")
        numbers[key] = _number(part, value)
    return numbers


def _number(part: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise InputError(f"{part!r} is no positive number. Write it like lr=3e-4.")
    return number
