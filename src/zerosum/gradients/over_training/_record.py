"""The checkpoints of one run whose per-token gradients were measured, and which of them can be compared."""

from dataclasses import dataclass
from functools import cached_property

from zerosum.errors import InputError
from zerosum.gradients._result import GradientInterference
from zerosum.record import Record


@dataclass(frozen=True)
class Comparable:
    """Checkpoints whose D can be compared: by the same kind of method, over the same number N of tokens."""

    is_proxy: bool
    N: int
    checkpoints: tuple[GradientInterference, ...]

    @property
    def label(self) -> str:
        """What was measured, and N."""
        what = "positionwise proxy, no token gradients" if self.is_proxy else "gradients of single tokens"
        return f"{what}, N = {self.N:,}"


@dataclass(frozen=True, repr=False)
class GradientsOverTraining(Record):
    """name: of the run, untrusted. checkpoints: at least one; they are put in order of their steps.

    Raises InputError where there is no checkpoint.
    """

    name: str
    checkpoints: tuple[GradientInterference, ...]

    def __post_init__(self) -> None:
        if not self.checkpoints:
            raise InputError("no checkpoint with per-token gradients. Measure one: zerosum gradients RUN --data TEXTS")
        ordered = tuple(sorted(self.checkpoints, key=lambda checkpoint: checkpoint.step or 0))
        object.__setattr__(self, "checkpoints", ordered)

    @property
    def units(self) -> str:
        """What intervals of D and M resample: "document", "sequence", or "text" where that differs."""
        known = {checkpoint.units for checkpoint in self.checkpoints}
        return known.pop() if len(known) == 1 else "text"

    @cached_property
    def comparable(self) -> tuple[Comparable, ...]:
        """Sets of checkpoints that can be compared with each other, in order of their first."""
        sets: dict[tuple[bool, int], list[GradientInterference]] = {}
        for checkpoint in self.checkpoints:
            sets.setdefault((checkpoint.is_proxy, checkpoint.N), []).append(checkpoint)
        return tuple(Comparable(*key, tuple(several)) for key, several in sets.items())

    @property
    def main(self) -> Comparable:
        """The largest set, of those with gradients of single tokens if there are any; of equal ones the latest."""
        return max(
            self.comparable,
            key=lambda several: (not several.is_proxy, len(several.checkpoints), several.checkpoints[-1].step or 0),
        )

    @property
    def left_out(self) -> tuple[GradientInterference, ...]:
        """Checkpoints that cannot be compared with the main set."""
        main = {id(checkpoint) for checkpoint in self.main.checkpoints}
        return tuple(checkpoint for checkpoint in self.checkpoints if id(checkpoint) not in main)

    @property
    def last(self) -> GradientInterference:
        """The last checkpoint with gradients of single tokens, else the last proxy."""
        exact = [checkpoint for checkpoint in self.checkpoints if not checkpoint.is_proxy]
        return (exact or self.checkpoints)[-1]
