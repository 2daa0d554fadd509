"""The checkpoints of one run whose per-token gradients were measured, and which of them can be compared."""

from dataclasses import dataclass, replace
from functools import cached_property

from zerosum.errors import InputError
from zerosum.gradients._result import GradientInterference
from zerosum.record import Record


@dataclass(frozen=True)
class Comparable:
    """Checkpoints whose D can be compared: by the same kind of method, over the same number N of tokens.

    is_sound: whether their models are those that were trained; if not, they are compared with nothing.
    """

    is_proxy: bool
    N: int
    is_sound: bool
    checkpoints: tuple[GradientInterference, ...]

    @property
    def label(self) -> str:
        """What was measured, and N."""
        what = "positionwise proxy, no token gradients" if self.is_proxy else "gradients of single tokens"
        return f"{what}, N = {self.N:,}" + ("" if self.is_sound else ", with a problem")


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
        sets: dict[tuple[bool, int, bool], list[GradientInterference]] = {}
        for checkpoint in self.checkpoints:
            key = (checkpoint.is_proxy, checkpoint.N, checkpoint.is_sound)
            sets.setdefault(key, []).append(checkpoint)
        return tuple(Comparable(*key, tuple(several)) for key, several in sets.items())

    @property
    def main(self) -> Comparable:
        """The largest set, of those without a problem and with gradients of single tokens if there are any.

        Of equal ones the latest. Of checkpoints that all have a problem, the last alone.
        """
        largest = max(self.comparable, key=_rank)
        return largest if largest.is_sound else replace(largest, checkpoints=largest.checkpoints[-1:])

    @property
    def left_out(self) -> tuple[GradientInterference, ...]:
        """Checkpoints that cannot be compared with the main set."""
        main = {id(checkpoint) for checkpoint in self.main.checkpoints}
        return tuple(checkpoint for checkpoint in self.checkpoints if id(checkpoint) not in main)

    @property
    def last(self) -> GradientInterference:
        """The last checkpoint with gradients of single tokens, else the last proxy."""
        sound = [checkpoint for checkpoint in self.checkpoints if checkpoint.is_sound] or self.checkpoints
        exact = [checkpoint for checkpoint in sound if not checkpoint.is_proxy]
        return (exact or sound)[-1]


def _rank(several: Comparable) -> tuple[bool, bool, int, int]:
    """Larger for a set that is preferred."""
    last = several.checkpoints[-1].step or 0
    return several.is_sound, not several.is_proxy, len(several.checkpoints), last
