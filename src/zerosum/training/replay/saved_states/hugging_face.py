"""Checkpoints of Hugging Face's Trainer: `optimizer.pt`, a single file, as written without FSDP and DeepSpeed.

Trainer saves after its schedule has moved on, so the saved rate is that of the next update. The largest gradient norm
(`max_grad_norm`) and the batch size are in `training_args.bin`, a pickle that would run code: it is read without that.
"""

from pathlib import Path

from torch import nn

from zerosum.checkpoints.weights import inside, load_pickled
from zerosum.errors import InputError
from zerosum.training.replay.saved_states._saved_state import NamedParameters, SavedState, Source
from zerosum.training.replay.trainer_arguments import read_trainer_arguments

FILE = "optimizer.pt"
_SPLIT = {  # patterns of files that a state split over files leaves in a folder
    "FSDP": ("optimizer_[0-9]*", "optimizer.bin", "pytorch_model_fsdp*", "rank*-of-*-optimizer.pt"),
    "DeepSpeed": ("global_step*", "zero_to_fp32.py"),
}


def matches(folder: Path) -> bool:
    """Whether the folder holds such a state, or a split state, which `load` refuses with the program's name."""
    return (folder / FILE).is_file() or any(any(folder.glob(name)) for names in _SPLIT.values() for name in names)


def load(folder: Path, model: nn.Module) -> SavedState:
    """Raises InputError where the state is split over files, damaged, or holds more than tensors and numbers."""
    for program, names in _SPLIT.items():
        split_file = next((path.name for name in names for path in folder.glob(name)), None)
        if split_file is not None:
            raise InputError(
                f"{folder}: the optimizer's state was written by {program} ({split_file[:80]!a}), split or flattened "
                "in a way that is not read. Give --optimizer adamw:lr=RATE for a step without it."
            )
    arguments = read_trainer_arguments(folder)
    return SavedState(
        file=folder / FILE,
        content=load_pickled(inside(folder, FILE)),
        groups=trainer_groups(model),
        rule="Trainer's rule: with weight decay, then without",
        clip=arguments.clip if arguments else None,
        batch_size=arguments.batch_size if arguments else None,
    )


def trainer_groups(model: nn.Module) -> list[NamedParameters]:
    """Parameters as Trainer orders them, by the rule of the installed Trainer."""
    from transformers import Trainer

    decaying = set(Trainer.get_decay_parameter_names(None, model))
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return [[named for named in trainable if (named[0] in decaying) is decays] for decays in (True, False)]


SOURCE = Source(program="Trainer", file=FILE, matches=matches, load=load, rank=1)
