"""The optimizer state of a checkpoint as its file holds it, and how a program's files are read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

NamedParameters = list[tuple[str, nn.Parameter]]
ParameterStates = dict[nn.Parameter, dict[str, Tensor]]
"""Tensors that an optimizer keeps for each parameter, such as its moments."""


@dataclass(frozen=True)
class SavedState:
    """The saved state of an optimizer of torch, and the parameters that it belongs to.

    file: where it was read. content: the `state_dict` of the optimizer. groups: the model's parameters by group, in
    the order in which the optimizer was given them; rule: how they were grouped, in words, for errors. optimizer: the
    name of the optimizer; None: recognized by its state. lr: learning rate of the next update; None: it is in the
    state. clip: largest gradient norm of the run, infinite for none; None: not saved. batch_size: sequences in one
    update; None: not saved.
    """

    file: Path
    content: Any
    groups: list[NamedParameters]
    rule: str
    optimizer: str | None = None
    lr: float | None = None
    clip: float | None = None
    batch_size: int | None = None


@dataclass(frozen=True)
class Source:
    """A program that saves optimizer states.

    file: the name of the file. matches: whether a checkpoint's folder or file holds a state of this program. load: the
    state in it, for a model; raises InputError where it cannot be read. rank: lower is asked first.
    """

    program: str
    file: str
    matches: Callable[[Path], bool]
    load: Callable[[Path, nn.Module], SavedState]
    rank: int
