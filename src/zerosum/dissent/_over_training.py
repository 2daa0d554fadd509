"""The dissent of a run's checkpoints, and the steps at which it reaches its levels. Needs no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from zerosum.dissent._levels import DISSENT_LEVELS, Reached, first_reached
from zerosum.dissent._record import VECTORS, Dissent, Place
from zerosum.estimate import Estimate
from zerosum.record import Record


@dataclass(frozen=True, repr=False, eq=False)
class DissentOverTraining(Record):
    """checkpoints: at least one, by step. left_out: those that are compared with nothing (see `Dissent.is_sound`).

    name: of the run.
    """

    name: str
    checkpoints: tuple[Dissent, ...]
    left_out: tuple[Dissent, ...] = ()

    @property
    def all_checkpoints(self) -> list[Dissent]:
        """Those that are left out, too, by step."""
        return sorted((*self.checkpoints, *self.left_out), key=_step)

    @property
    def last(self) -> Dissent:
        """The last checkpoint."""
        return self.checkpoints[-1]

    @cached_property
    def steps(self) -> list[int]:
        """Of the checkpoints."""
        return [checkpoint.step or 0 for checkpoint in self.checkpoints]

    def over_steps(self, place: Place, name: str = "dissent") -> list[Estimate]:
        """One number at each checkpoint."""
        return [checkpoint.estimate(place, name) for checkpoint in self.checkpoints]

    def losses(self) -> list[Estimate]:
        """Mean loss at each checkpoint, nats per token."""
        return [checkpoint.loss.estimate for checkpoint in self.checkpoints]

    @cached_property
    def reached(self) -> list[tuple[Place, Reached]]:
        """Where the dissent of head and body first reaches each level; empty for a single checkpoint."""
        if len(self.checkpoints) < 2:
            return []
        losses = [loss.value for loss in self.losses()]
        return [
            (place, first_reached(self.steps, losses, [number.value for number in self.over_steps(place)], level))
            for place in VECTORS
            for level in DISSENT_LEVELS
        ]

    def to_json(self) -> dict[str, Any]:
        """The documents of the checkpoints, and `first_reached`."""
        return {
            "checkpoints": [checkpoint.to_json() for checkpoint in self.all_checkpoints],
            "first_reached": [{"of": place} | crossing.to_json() for place, crossing in self.reached],
        }


def over_training(name: str, checkpoints: Sequence[Dissent]) -> DissentOverTraining | None:
    """The checkpoints by step; None where there are none."""
    if not checkpoints:
        return None
    by_step = sorted(checkpoints, key=_step)
    sound = [checkpoint for checkpoint in by_step if checkpoint.is_sound]
    others = [checkpoint for checkpoint in by_step if not checkpoint.is_sound]
    return DissentOverTraining(name, tuple(sound or others[-1:]), tuple(others if sound else others[:-1]))


def _step(checkpoint: Dissent) -> int:
    return checkpoint.step or 0
