"""What a user says of the optimizer: `saved`, `saved:lr=1e-4`, `adamw:lr=3e-4,beta1=0.9`, `sgd:lr=0.1`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from zerosum.errors import InputError

SAVED = "saved"
NUMBERS = {
    "adamw": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
    "sgd": {"momentum": 0.0, "weight_decay": 0.0},
}
"""Numbers of each optimizer and what they are where the user says nothing: torch's own. The rate has no such value."""
_KNOWN = "saved, saved:lr=1e-4, adamw:lr=3e-4,beta1=0.9,beta2=0.95,eps=1e-8,weight_decay=0.1 or sgd:lr=0.1,momentum=0.9"


@dataclass(frozen=True)
class Choice:
    """name: saved, adamw or sgd. numbers: those that were given; for `saved` a rate in place of the saved one.

    >>> Choice.parse("adamw:lr=3e-4,beta2=0.95")
    Choice(name='adamw', numbers={'lr': 0.0003, 'beta2': 0.95})
    """

    name: str = SAVED
    numbers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "Choice":
        """Raises InputError where the text names no optimizer, or a number that it does not have."""
        name, _, rest = text.partition(":")
        allowed = ("lr", *NUMBERS.get(name, ()))
        if name not in (SAVED, *NUMBERS):
            raise InputError(f"--optimizer {text}: {name!r} is not known. Choose {_KNOWN}.")
        numbers = {}
        for part in filter(None, rest.split(",")):
            key, _, value = part.partition("=")
            if key not in allowed:
                raise InputError(f"--optimizer {text}: {name} has no {key!r}. It has {', '.join(allowed)}.")
            numbers[key] = _number(text, part, value)
        if name != SAVED and "lr" not in numbers:
            raise InputError(f"--optimizer {text}: no learning rate. Write {name}:lr=RATE.")
        return cls(name, numbers)


def _number(text: str, part: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise InputError(f"--optimizer {text}: {part!r} is no positive number. Write it like lr=3e-4.")
    return number
