"""Lightning's `.ckpt` files: the state of the one optimizer inside the file of the weights.

How a module groups its parameters is its own affair: one group, or matrices and vectors apart, are recognised by the
number of parameters in each group. The rate is that of the next update where the schedule moves on with each step.
"""

from pathlib import Path

from torch import nn

from zerosum.checkpoints.kinds.lightning import is_lightning
from zerosum.checkpoints.weights import holds, load_pickled
from zerosum.errors import InputError
from zerosum.training.replay.saved_states._saved_state import NamedParameters, SavedState, Source
from zerosum.training.replay.saved_states.hugging_face import trainer_groups


def matches(path: Path) -> bool:
    """Whether the path is such a file with an optimizer's state."""
    return is_lightning(path) and holds(path, b"optimizer_states", b"param_groups")


def load(path: Path, model: nn.Module) -> SavedState:
    """Raises InputError where the file is damaged, or there are several optimizers."""
    states = load_pickled(path).get("optimizer_states")
    if not isinstance(states, list) or len(states) != 1 or not isinstance(states[0], dict):
        raise InputError(
            f"{path}: not the state of one optimizer. Give --optimizer adamw:lr=RATE for a step without it."
        )
    groups = states[0].get("param_groups")
    sizes = [len(group["params"]) for group in groups] if isinstance(groups, list) else []
    known = _groupings(model)
    chosen = next((grouping for grouping in known if [len(group) for group in grouping] == sizes), known[0])
    return SavedState(path, states[0], chosen, "one group, or those that decay, then those that do not")


def _groupings(model: nn.Module) -> list[list[NamedParameters]]:
    """Usual ways to group the parameters of a module, in their order."""
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    by_axes = [[named for named in trainable if (named[1].ndim >= 2) is matrix] for matrix in (True, False)]
    return [[trainable], by_axes, trainer_groups(model)]


SOURCE = Source(program="Lightning", file=".ckpt", matches=matches, load=load, rank=3)
