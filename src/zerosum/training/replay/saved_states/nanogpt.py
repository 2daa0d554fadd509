"""nanoGPT's `ckpt.pt`: the state of AdamW inside the file of the weights, and what the run was configured with.

nanoGPT sets the rate of an iteration before it saves, so the saved rate is that of the next update. Weights that are
transposed in our model are transposed in its moments too. Source: `model.py` and `train.py` of nanoGPT.
"""

import math
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from zerosum.checkpoints.kinds.nanogpt import TRANSPOSED, is_nanogpt
from zerosum.checkpoints.weights import holds, load_pickled
from zerosum.training.replay.saved_states._saved_state import NamedParameters, SavedState, Source


def matches(path: Path) -> bool:
    """Whether the path is such a file with an optimizer's state."""
    return is_nanogpt(path) and holds(path, b"optimizer", b"param_groups")


def load(path: Path, model: nn.Module) -> SavedState:
    """Raises InputError where the file is damaged."""
    content = load_pickled(path)
    saved, config = content.get("optimizer"), content.get("config")
    groups = _groups(model, saved)
    run = config if isinstance(config, dict) else {}
    clip, sizes = run.get("grad_clip"), [run.get("batch_size"), run.get("gradient_accumulation_steps", 1)]
    known = all(isinstance(size, int) and 0 < size < 10**6 for size in sizes)
    return SavedState(
        file=path,
        content=_transposed(saved, groups),
        groups=groups,
        rule="nanoGPT's rule: matrices, then vectors",
        clip=None if not isinstance(clip, int | float) or not clip >= 0 else float(clip) or math.inf,
        batch_size=math.prod(sizes) if known else None,
    )


def _groups(model: nn.Module, saved: Any) -> list[NamedParameters]:
    """Parameters as nanoGPT groups them: matrices decay. Its first versions sorted names and let no embedding decay."""
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    groups = [[named for named in trainable if (named[1].ndim >= 2) is decays] for decays in (True, False)]
    first = sorted((named for named in groups[0] if ".h." in named[0]), key=lambda named: named[0])
    rest = sorted((named for named in trainable if named not in first), key=lambda named: named[0])
    sizes = [len(group["params"]) for group in saved["param_groups"]] if _is_state(saved) else []
    return [first, rest] if sizes == [len(first), len(rest)] else groups


def _is_state(saved: Any) -> bool:
    groups = saved.get("param_groups") if isinstance(saved, dict) else None
    return isinstance(groups, list) and all(isinstance(g, dict) and isinstance(g.get("params"), list) for g in groups)


def _transposed(saved: Any, groups: list[NamedParameters]) -> Any:
    """The state with the moments of transposed weights transposed."""
    if not _is_state(saved) or not isinstance(saved.get("state"), dict):
        return saved
    names = [name for group in groups for name, _ in group]
    numbers = [number for group in saved["param_groups"] for number in group["params"]]
    turned = {number for number, name in zip(numbers, names, strict=False) if name.endswith(TRANSPOSED)}
    state = {
        number: {key: _turned(value) for key, value in tensors.items()} if number in turned else tensors
        for number, tensors in saved["state"].items()
    }
    return saved | {"state": state}


def _turned(value: Any) -> Any:
    return value.t() if isinstance(value, Tensor) and value.ndim == 2 else value


SOURCE = Source(program="nanoGPT", file="ckpt.pt", matches=matches, load=load, rank=2)
