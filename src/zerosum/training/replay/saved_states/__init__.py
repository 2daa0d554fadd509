"""Optimizer states that programs saved beside the weights: one file for each program.

A module here that defines `SOURCE` is a program whose checkpoints are read; nothing else has to know of it.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from torch import nn

from zerosum.errors import InputError
from zerosum.training.replay.saved_states._bind import bind
from zerosum.training.replay.saved_states._saved_state import ParameterStates, SavedState, Source

__all__ = ["ParameterStates", "SavedState", "Source", "bind", "known_sources", "read_saved_state"]


@cache
def known_sources() -> tuple[Source, ...]:
    """All programs of this folder, in the order in which they are asked."""
    modules = [import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__)]
    sources: list[Source] = [module.SOURCE for module in modules if hasattr(module, "SOURCE")]
    return tuple(sorted(sources, key=lambda source: (source.rank, source.file)))


def read_saved_state(path: Path, model: nn.Module) -> SavedState:
    """The state saved in the checkpoint `path`. Raises InputError where there is none or it cannot be read."""
    source = next((source for source in known_sources() if source.matches(path)), None)
    if source is None:
        files = ", ".join(f"{source.file} of {source.program}" for source in reversed(known_sources()))
        raise InputError(
            f"{path}: no optimizer state beside the weights ({files}). "
            "Give --optimizer adamw:lr=RATE for a step without it."
        )
    return source.load(path, model)
