"""What a report on per-token gradients is about: the measurement of each checkpoint, as its document says it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from zerosum.errors import InputError

Ends = tuple[float, float]
NUMBERS = (
    *("loss", "D_grad", "D_grad_matrices", "D_loss", "M_loss", "D_first_order", "M_first_order"),
    *("C_g", "C_ug", "C_uG", "null", "null_unit", "excess"),
)
OF_PART = ("D_grad", "C_g", "C_ug", "C_uG", "sum_ij_abs_p", "sum_j_abs_sum_i_p")
APART = ("embedding", "head")
"""Kinds of parameters that D_grad leaves out."""
PROXY = "positionwise"
"""The method that forms no token gradient, and the part of its document that holds what it gives instead."""
EXACT = "exact for these N tokens; another draw of texts would differ"
OF_PROXY = ("D_grad", "D_grad_matrices", "C_g")


@dataclass(frozen=True)
class Number:
    """value: NaN where it is not known; reason: why, or why it has no interval. ends: of its interval."""

    value: float
    ends: Ends | None = None
    reason: str = ""


@dataclass(frozen=True)
class Part:
    """One parameter or one layer. name: untrusted. kind: embedding, head, matrix, norm, bias; of a layer "layer".

    touched: coordinates in which any token has a gradient; None where that is not known.
    """

    name: str
    kind: str
    numel: int
    touched: int | None
    numbers: Mapping[str, Number] = field(repr=False)

    def __getitem__(self, name: str) -> Number:
        return self.numbers[name]


@dataclass(frozen=True, eq=False)
class Changes:
    """first_order, loss_change: of the tokens of which both are known, nats.

    unit: the number of the sequence or document, whichever `units` says, that each is from; None: not known.
    """

    first_order: Float[np.ndarray, " n"]
    loss_change: Float[np.ndarray, " n"]
    unit: Int[np.ndarray, " n"] | None = None
    units: str = "sequence"

    @classmethod
    def of(cls, first_order: Any, loss_change: Any, unit: Any = None, units: str = "sequence") -> "Changes | None":
        """From arrays of one shape, [n] or [sequence, position], NaN where unknown; None where no token has both.

        unit: of that shape; None: the sequence.
        """
        x, y = (np.asarray(one, dtype=np.float64) for one in (first_order, loss_change))
        if x.shape != y.shape or x.ndim not in (1, 2):
            raise InputError(
                f"first_order {x.shape}, loss_change {y.shape}: not one pair for each token. Give arrays of one shape."
            )
        known = np.isfinite(x) & np.isfinite(y)
        if unit is None:
            of, units = (np.nonzero(known)[0] if x.ndim == 2 else None), "sequence"
        else:
            of = np.asarray(unit)[known]
        return cls(x[known], y[known], of, units) if known.any() else None


@dataclass(frozen=True)
class OneCheckpoint:
    """One measurement. source: untrusted. n_sampled: tokens whose gradients were formed, N where all were.

    document: what all of it was read from. Of the positionwise method D_grad, C_g and parts are those of the proxy.
    """

    step: int
    source: str
    method: str
    N: int
    n_sampled: int
    numbers: Mapping[str, Number] = field(repr=False)
    parameters: tuple[Part, ...] = field(repr=False)
    layers: tuple[Part, ...] = field(repr=False)
    notes: tuple[str, ...] = ()
    changes: Changes | None = field(default=None, repr=False)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> Number:
        return self.numbers[name]

    @property
    def proxy(self) -> bool:
        """Whether D_grad and C_g are of a proxy, not of single tokens' gradients."""
        return self.method == PROXY

    @property
    def units(self) -> str:
        """What intervals of D and M resample, "document" or "sequence"."""
        return "document" if self.document.get("units") == "document" else "sequence"

    @property
    def n_units(self) -> int | None:
        """How many of them there are; None where no interval resamples them."""
        changes = self.document.get("first_order")
        interval = changes.get("interval") if isinstance(changes, Mapping) else None
        number = interval.get("n_units") if isinstance(interval, Mapping) else None
        return number if isinstance(number, int) else None

    @classmethod
    def of(cls, document: Mapping[str, Any], changes: Changes | None = None) -> "OneCheckpoint":
        """From its document; InputError where that has no step or no N."""
        step, N = (_whole(document, name) for name in ("step", "N"))
        intervals, proxy = document.get("intervals"), document.get(PROXY)
        numbers = {name: _number(document, name, intervals) for name in NUMBERS}
        parts = document
        if isinstance(proxy, Mapping):
            parts = proxy
            numbers |= {name: _number(proxy, name, {f"{name}_reason": EXACT}) for name in OF_PROXY}
        return cls(
            step=step,
            source=str(document.get("source", "")),
            method=str(document.get("method", "")),
            N=N,
            n_sampled=_whole(document, "n_sampled", N),
            numbers=numbers,
            parameters=tuple(map(_part, parts.get("parameters") or ())),
            layers=tuple(map(_part, parts.get("layers") or ())),
            notes=tuple(map(str, document.get("notes") or ())),
            changes=changes,
            document=document,
        )


@dataclass(frozen=True)
class Line:
    """Checkpoints whose D can be compared with each other: of one kind of measurement, over the same N."""

    proxy: bool
    N: int
    checkpoints: tuple[OneCheckpoint, ...]

    @property
    def what(self) -> str:
        """What was measured."""
        return "positionwise proxy, no token gradients" if self.proxy else "gradients of single tokens"

    @property
    def label(self) -> str:
        """The same with N."""
        return f"{self.what}, N = {self.N:,}"


@dataclass(frozen=True)
class GradientsOverTraining:
    """name: of the run, untrusted. checkpoints: at least one, by step."""

    name: str
    checkpoints: tuple[OneCheckpoint, ...]

    @classmethod
    def of(
        cls,
        name: str,
        documents: Sequence[Mapping[str, Any]],
        changes: Sequence[tuple[Any, ...] | None] | None = None,
    ) -> "GradientsOverTraining":
        """From documents, as `zerosum gradients --json` prints them, in any order.

        changes: for each document what `Changes.of` takes: (first_order, loss_change) of its tokens in nats, [n] or
        [sequence, position], and their units; or None. Raises InputError where there is no document, or one has no step
        or N.
        """
        if not documents:
            raise InputError("no checkpoint with per-token gradients. Measure one: zerosum gradients RUN --data TEXTS")
        pairs = changes if changes is not None else [None] * len(documents)
        made = [
            OneCheckpoint.of(document, Changes.of(*pair) if pair is not None else None)
            for document, pair in zip(documents, pairs, strict=True)
        ]
        return cls(name, tuple(sorted(made, key=lambda one: one.step)))

    @property
    def units(self) -> str:
        """What intervals of D and M resample: "document", "sequence", or "text" where that differs."""
        known = {one.units for one in self.checkpoints}
        return known.pop() if len(known) == 1 else "text"

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Checkpoints that can be compared, in order of their first."""
        found: dict[tuple[bool, int], list[OneCheckpoint]] = {}
        for one in self.checkpoints:
            found.setdefault((one.proxy, one.N), []).append(one)
        return tuple(Line(*key, tuple(several)) for key, several in found.items())

    @property
    def main(self) -> Line:
        """The longest line, of those with gradients of single tokens if there are any; of equal ones the latest."""
        return max(self.lines, key=lambda one: (not one.proxy, len(one.checkpoints), one.checkpoints[-1].step))

    @property
    def left_out(self) -> tuple[OneCheckpoint, ...]:
        """Those that cannot be compared with the main line."""
        kept = {id(one) for one in self.main.checkpoints}
        return tuple(one for one in self.checkpoints if id(one) not in kept)

    @property
    def last(self) -> OneCheckpoint:
        """The last one with gradients of single tokens, or the last proxy."""
        exact = [one for one in self.checkpoints if not one.proxy]
        return (exact or self.checkpoints)[-1]


def _whole(document: Mapping[str, Any], name: str, otherwise: int | None = None) -> int:
    value = document.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if otherwise is None:
        raise InputError(f"a document of gradients with {name} = {value!r}: no whole number. Measure again.")
    return otherwise


def _number(document: Mapping[str, Any], name: str, intervals: Any = None) -> Number:
    """What a document says under a name. intervals: name -> [low, high], `<name>_reason`; else `<name>_interval`."""
    value = document.get(name)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return Number(math.nan, None, str(document.get(f"{name}_reason") or "not measured"))
    beside, key = (intervals, name) if isinstance(intervals, Mapping) else (document, f"{name}_interval")
    given = beside.get(key)
    if isinstance(given, list | tuple) and len(given) == 2 and all(isinstance(end, int | float) for end in given):
        return Number(float(value), (float(given[0]), float(given[1])))
    return Number(float(value), None, str(beside.get(f"{key}_reason") or "not given"))


def _part(row: Mapping[str, Any]) -> Part:
    touched = row.get("touched")
    return Part(
        name=str(row.get("name", "")),
        kind=str(row.get("kind", "")),
        numel=_whole(row, "numel", 0),
        touched=touched if isinstance(touched, int) else None,
        numbers={name: _number(row, name) for name in OF_PART},
    )
