"""The record of one scheduled step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from zerosum.deceleration import Fit
from zerosum.interference import Interference
from zerosum.interference.labelled import Changes, NoiseFloor, OneStep, PairInterference
from zerosum.monitor import names
from zerosum.record import Record


@dataclass(frozen=True, repr=False)
class Measured(Record):
    """What was measured around the update after `step` updates.

    loss: mean over the held-out tokens before the update, nats per token. one_step: as `zerosum step` records it, of
    held-out tokens and, where the batch was given, of its tokens. double: as `zerosum interference` records it, from
    half this many steps; None where that step was not measured. fit: of the training loss so far; None before step 256,
    and where the cost allowed none. sequences: of the probe that were measured, and of how many. cost: time of the
    monitor over time of training. others: numbers of the running verdict by their logged name.
    """

    step: int
    loss: float
    one_step: tuple[OneStep, ...]
    double: PairInterference | None
    fit: Fit | None
    sequences: tuple[int, int]
    cost: float
    others: dict[str, float]

    def values(self) -> dict[str, float]:
        """The numbers by their logged names (`names.meanings`); NaN where one is not defined."""
        spans: Iterator[tuple[names.Span, Interference]] = (
            ("step" if step.split == "heldout" else "batch", step.measured) for step in self.one_step
        )
        numbers = {
            names.name_of(number, span): _number(measured, number)
            for span, measured in (*spans, *((("double", self.double.measured),) if self.double else ()))
            for number in names.NUMBERS | names.ENDS
        }
        return {names.LOSS: self.loss, **numbers, **self.others, names.COST: self.cost}

    @property
    def reason(self) -> str:
        """Why D of the update is not defined; "" where it is. no-update: no loss changed at all."""
        if self.one_step[0].measured.M == 0:
            return "no-update"
        return next((step.measured.reasons["D"] for step in self.one_step if "D" in step.measured.reasons), "")


def _number(measured: Interference, number: str) -> float:
    """A number by its name; NaN where it is not defined."""
    if number in names.ENDS:
        return measured.interval.D[number == "D_high"] if measured.interval else math.nan
    return float(getattr(measured, number))


def pair(half: int, step: int, changes: Changes) -> PairInterference:
    """Changes from a step to its double, as the record of a pair of checkpoints."""
    noise = NoiseFloor(math.nan, math.nan, "numerical noise is not measured while a model trains")
    return PairInterference(half, step, changes.measured, changes.units, 0, noise, None)
