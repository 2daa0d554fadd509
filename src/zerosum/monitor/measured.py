"""The record of one scheduled step."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from zerosum.curves.monitor_rows import PREFIX
from zerosum.deceleration import Fit
from zerosum.gradients import GradientInterference
from zerosum.gradients.noise import NoiseScale
from zerosum.interference import Interference
from zerosum.interference.labelled import Changes, MeasuredGroups, NoiseFloor, OneStep, PairInterference
from zerosum.monitor import names
from zerosum.record import Record


@dataclass(frozen=True, repr=False)
class Measured(Record):
    """What was measured around the update after `step` updates.

    loss: mean over the held-out tokens before the update, nats per token. one_step: as `zerosum step` records it, of
    held-out tokens and, where the batch was given, of its tokens. double: as `zerosum interference` records it, from
    half this many steps; None where that step was not measured. fit: of the training loss so far; None before step 256,
    and where the cost allowed none. sequences: of the probe that were measured, and of how many. cost: time of the
    monitor over time of training. others: numbers of the running verdict by their logged name. warnings: told so far.

    Where asked for: groups: of the held-out tokens, over one update; those from half this many steps are in `double`.
    double_average, loss_average: as double and loss, at the running average of the weights. gradients: first order, of
    this update, as `zerosum step` records it. noise: of the micro-batches of this update.
    """

    step: int
    loss: float
    one_step: tuple[OneStep, ...]
    double: PairInterference | None
    fit: Fit | None
    sequences: tuple[int, int]
    cost: float
    others: dict[str, float]

    groups: MeasuredGroups | None = None
    double_average: PairInterference | None = None
    loss_average: float = math.nan
    gradients: GradientInterference | None = None
    noise: NoiseScale | None = None
    warnings: int = 0

    def values(self) -> dict[str, float]:
        """The numbers by their logged names (`names.meanings`); NaN where one is not defined."""
        values = {names.LOSS: self.loss, **dict(self._numbers()), **self.others, names.COST: self.cost}
        return values | {names.WARNINGS: float(self.warnings)}

    def _numbers(self) -> Iterator[tuple[str, float]]:
        pairs: dict[names.Span, PairInterference | None] = {
            "double": self.double,
            "double_average": self.double_average,
        }
        spans: list[tuple[names.Span, Interference]] = [
            ("step" if step.split == "heldout" else "batch", step.measured) for step in self.one_step
        ]
        spans += [(span, pair.measured) for span, pair in pairs.items() if pair]
        for span, measured in spans:
            for number in names.NUMBERS | names.ENDS:
                yield names.name_of(number, span), _number(measured, number)
        splits: dict[names.Span, MeasuredGroups | None] = {
            "step": self.groups,
            "double": self.double.groups if self.double else None,
        }
        for span, groups in splits.items():
            if groups is not None:
                yield from ((names.name_of(factor, span), getattr(groups.split, factor)) for factor in names.FACTORS)
        if not math.isnan(self.loss_average):
            yield names.LOSS_AVERAGE, self.loss_average
        if self.gradients:
            yield from ((f"{PREFIX}{name}", getattr(self.gradients, name)) for name in ("C_g", "C_ug", "C_uG"))
        if noise := self.noise:
            yield from ((names.NOISE_SCALE, noise.noise_scale), (names.COSINE, noise.mean_cosine))
            yield names.CONFLICT_RATE, noise.conflict_rate
            yield names.CONFLICT_RATE_NULL, noise.conflict_rate_null

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


def pair(half: int, step: int, changes: Changes, groups: MeasuredGroups | None = None) -> PairInterference:
    """Changes from a step to its double, as the record of a pair of checkpoints."""
    noise = NoiseFloor(math.nan, math.nan, "numerical noise is not measured while a model trains")
    return PairInterference(half, step, changes.measured, changes.units, 0, noise, groups)
