"""The loss curve: what every reader returns and every fit takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from zerosum.curves._note import code_of
from zerosum.errors import InputError
from zerosum.record import Record


@dataclass(frozen=True, repr=False)
class LossCurve(Record):
    """A training loss curve, sorted by step, every value finite.

    name: what to call it in tables and figures.
    step: [n] optimizer steps, strictly increasing unless the source says otherwise (see `cleaning`).
    loss: [n] cross-entropy in nats per token, positive.
    tokens: [n] training tokens seen, where the source carries them.
    lr: [n] learning rate, where the source carries it.
    source, format: where it was read from, and as what.
    cleaning: one note for each thing the reader changed, with counts: a string with a `code`.
    dropped: how many rows of the source were left out, by cause: "no step", "step negative or infinite", "no loss",
        "loss infinite", "loss not positive", "trained twice" (by a resumed run), "step repeated".
    columns: what each axis is called in the source, e.g. {"step": "_step", "loss": "train/loss"}.

    Raises InputError where the arrays contradict this. `zerosum.curves.clean_curve` makes a curve of untidy arrays.
    """

    name: str
    step: Float[np.ndarray, " n"]
    loss: Float[np.ndarray, " n"]
    tokens: Float[np.ndarray, " n"] | None = None
    lr: Float[np.ndarray, " n"] | None = None
    source: str = ""
    format: str = "array"
    cleaning: tuple[str, ...] = field(default=())
    columns: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.step) == 0:
            raise InputError(f"{self.name}: the curve has no points. Give a log with at least one finite loss.")
        if len(self.step) != len(self.loss):
            raise InputError(
                f"{self.name}: {len(self.step)} steps but {len(self.loss)} losses. Give one loss for each step."
            )
        if not (np.isfinite(self.step).all() and np.isfinite(self.loss).all()):
            raise InputError(f"{self.name}: steps or losses that are not finite. Drop those rows first.")
        if (self.loss <= 0).any():
            raise InputError(
                f"{self.name}: {int((self.loss <= 0).sum())} losses are not positive. "
                "Give cross-entropies in nats per token, or drop those rows."
            )
        if (np.diff(self.step) < 0).any():
            raise InputError(f"{self.name}: steps go back. Sort the rows by step first.")

    @property
    def cleaning_codes(self) -> tuple[str, ...]:
        """The code of each note in `cleaning`; "other" for a sentence without one."""
        return tuple(map(code_of, self.cleaning))

    def __len__(self) -> int:
        return len(self.step)
