"""Names of averages of weights: `last:64`, `ema:0.995`, or a list of steps. Needs no torch."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zerosum.errors import InputError

FORMS = "last:K (mean of the last K iterates, as last:64), ema:BETA (as ema:0.995), or steps (as 900,950,1000)"
_LAST, _EMA = re.compile(r"last:(\d{1,12})", re.ASCII), re.compile(r"ema:([0-9.eE+-]{1,24})", re.ASCII)
_STEPS = re.compile(r"\d{1,15}(,\d{1,15})*", re.ASCII)


@dataclass(frozen=True)
class AverageForm:
    """An average of weights. last: K of `last:K`, else 0. decay: beta of `ema:beta`, else 0. steps: of a list."""

    last: int = 0
    decay: float = 0.0
    steps: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """As it is written after `--average`."""
        if self.steps:
            return ",".join(map(str, self.steps))
        return f"last:{self.last}" if self.last else f"ema:{self.decay!r}"

    @property
    def place(self) -> str:
        """Its name in names of files and folders; lists of steps share one, for they are points of one run.

        >>> AverageForm(decay=0.995).place
        'ema-0.995'
        """
        return "mean-of-steps" if self.steps else self.text.replace(":", "-")


def parse_average(text: str) -> AverageForm:
    """The average that a text names. Raises InputError for any other text.

    >>> parse_average("last:64"), parse_average("900, 1000").steps
    (AverageForm(last=64, decay=0.0, steps=()), (900, 1000))
    """
    plain = re.sub(r"\s", "", text)
    if last := _LAST.fullmatch(plain):
        if int(last[1]) < 2:
            raise InputError(f"average {text}: averages nothing. Take at least 2 iterates, as last:64.")
        return AverageForm(last=int(last[1]))
    if ema := _EMA.fullmatch(plain):
        return AverageForm(decay=_decay(text, ema[1]))
    if _STEPS.fullmatch(plain):
        steps = tuple(sorted({int(step) for step in plain.split(",")}))
        if len(steps) < 2:
            raise InputError(f"average {text[:60]}: one step, so there is nothing to average. Name at least two steps.")
        return AverageForm(steps=steps)
    raise InputError(f"average {text[:60]!r}: not known. Write {FORMS}.")


def _decay(text: str, number: str) -> float:
    try:
        decay = float(number)
    except ValueError:
        decay = 0.0
    if not 0 < decay < 1:
        raise InputError(f"average {text[:60]}: the decay of an EMA lies between 0 and 1. Write for example ema:0.995.")
    return decay


@dataclass(frozen=True)
class Averaged:
    """What the weights of an averaged checkpoint are the mean of.

    form: as `AverageForm.text`. number: of weights averaged. steps: of the checkpoints averaged; of iterates, which
    were averaged during training, the first and the last. iterates: whether every update in between is in the mean.
    weights: "" where these are the weights that were trained; else which weights the optimizer evaluates, in words.
    """

    form: str
    number: int
    steps: tuple[int, ...]
    iterates: bool = False
    weights: str = ""

    @property
    def kind(self) -> str:
        """As `form`, but one name for all lists of steps: measurements of one kind lie in one store."""
        return "steps" if parse_average(self.form).steps else self.form

    def to_json(self) -> dict[str, Any]:
        """All fields by name."""
        return {**asdict(self), "steps": list(self.steps)}

    @classmethod
    def of_json(cls, values: Any) -> "Averaged | None":
        """What `to_json` wrote; None where the values are anything else."""
        try:
            form, number, steps = str(values["form"]), int(values["number"]), tuple(map(int, values["steps"]))
            return cls(form, number, steps, bool(values["iterates"]), str(values["weights"]))
        except (KeyError, TypeError, ValueError):
            return None


def described(averages: Sequence[Averaged], not_averaged: Sequence[int] = ()) -> str:
    """What the points of a run are the mean of, and steps without such an average, in words; "" where there are none.

    >>> described([Averaged("last:4", 3, (1, 3), True), Averaged("last:4", 4, (5, 8), True)])
    'Weights are averages last:4, made while training: means of 3 to 4 iterates (the last ones: 5 to 8).'
    >>> described([Averaged("last:4", 2, (7, 8))], not_averaged=[1, 4]).partition(". ")[2]
    'Left out, because only one checkpoint lies in the window there: steps 1, 4.'
    """
    if not averages:
        return ""
    last, numbers = averages[-1], sorted({average.number for average in averages})
    number = " to ".join(map(str, dict.fromkeys((numbers[0], numbers[-1]))))
    if last.iterates:
        ema = "bias-corrected EMAs" if last.form.startswith("ema") else "means"
        words = f"made while training: {ema} of {number} iterates (the last ones: {last.steps[0]} to {last.steps[-1]})"
    else:
        words = f"made of saved checkpoints: means of {number} of them (the last ones: {_listed(last.steps)})"
    also = f" They are averages of {last.weights}." if last.weights else ""
    if not_averaged:
        why = "no average was saved" if last.iterates else "only one checkpoint lies in the window"
        also += f" Left out, because {why} there: steps {_listed(not_averaged)}."
    return f"Weights are averages {last.form}, {words}.{also}"


def _listed(steps: Sequence[int]) -> str:
    """Up to five steps; of more, the first two and the last two."""
    return ", ".join(map(str, steps if len(steps) < 6 else (*steps[:2], "...", *steps[-2:])))
