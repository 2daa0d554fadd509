"""Checkpoints of Hugging Face's Trainer: `optimizer.pt`, one file, as it is written without FSDP and DeepSpeed.

Trainer saves after its schedule has moved on, so the saved rate is that of the next update. The largest gradient norm
(`max_grad_norm`) and the batch size are only in `training_args.bin`, a pickle that would run code: it is not opened.

The step is one on the mean loss over all predicted tokens. Trainers of transformers 4.46 to about 5.9, and for some
models later ones, divide by one token more for each sequence: where they did not clip, their gradients were smaller by
that share (T predicted tokens: 1 in T + 1), which AdamW all but cancels.
"""

from pathlib import Path

from torch import nn

from zerosum.checkpoints.weights import inside, load_pickled
from zerosum.errors import InputError
from zerosum.training.optimizer_states._saved import SavedState

FILE = "optimizer.pt"
_SPLIT = {  # what a state that is spread over files leaves in a folder
    "FSDP": ("optimizer_[0-9]*", "optimizer.bin", "pytorch_model_fsdp*", "rank*-of-*-optimizer.pt"),
    "DeepSpeed": ("global_step*", "zero_to_fp32.py"),
}


def matches(folder: Path) -> bool:
    """A folder that holds such a state, or one that was split, which is then refused by name."""
    return (folder / FILE).is_file() or any(any(folder.glob(one)) for names in _SPLIT.values() for one in names)


def load(folder: Path, model: nn.Module) -> SavedState:
    """Raises InputError where the state is split over files, damaged, or holds more than tensors and numbers."""
    for program, names in _SPLIT.items():
        found = next((path.name for name in names for path in folder.glob(name)), None)
        if found is not None:
            raise InputError(
                f"{folder}: the optimizer's state was written by {program} ({found[:80]!a}), split or flattened in a "
                "way that is not read. Give --optimizer adamw:lr=RATE for a step without it."
            )
    return SavedState(
        file=folder / FILE,
        content=load_pickled(inside(folder, FILE)),
        groups=_groups(model),
        rule="Trainer's rule: with weight decay, then without",
    )


def _groups(model: nn.Module) -> list[list[tuple[str, nn.Parameter]]]:
    """Parameters as Trainer orders them, by the installed Trainer's own rule."""
    from transformers import Trainer

    decaying = set(Trainer.get_decay_parameter_names(None, model))
    trainable = [(name, one) for name, one in model.named_parameters() if one.requires_grad]
    return [[one for one in trainable if (one[0] in decaying) is decays] for decays in (True, False)]
