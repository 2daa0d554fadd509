"""Numbers per token that are measured beside the loss, one file each: the file's name is the number's name.

A new number is a new file here; `zerosum losses --also NAME` then measures it into the store. A file has

    NAME = "entropy"                       # the file's name
    MEANING = "entropy of the prediction"  # for people
    UNIT = "nats"                          # "" for a ratio
    def measure(logits, labels)            # float32 tensors [n V], int64 [n] -> [n]; a few positions at a time

Importing this package does not load torch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from zerosum.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

RESERVED = ("loss", "loss_after_step", "batch_loss", "batch_loss_after_step")
"""Variables of a store that are no quantities."""


@dataclass(frozen=True)
class Quantity:
    """A number per token. measure: logits [n V] in float32 and labels [n] -> its values [n]."""

    name: str
    meaning: str
    unit: str
    measure: "Callable[[Tensor, Tensor], Tensor]"

    @property
    def attrs(self) -> dict[str, Any]:
        """How its variable in a store is described."""
        return {"units": self.unit, "long_name": self.meaning}


def quantity_names() -> tuple[str, ...]:
    """Names of all quantities, sorted; nothing is imported."""
    return tuple(sorted(info.name for info in iter_modules(__path__) if not info.name.startswith("_")))


def quantities(names: Sequence[str]) -> tuple[Quantity, ...]:
    """These quantities, each once. Raises InputError for an unknown name. Loads torch."""
    for name in names:
        if name not in quantity_names():
            raise InputError(f"{name}: not a number per token. Choose one of {', '.join(quantity_names())}.")
    modules = [import_module(f"{__name__}.{name}") for name in sorted(set(names))]
    return tuple(Quantity(module.NAME, module.MEANING, module.UNIT, module.measure) for module in modules)
