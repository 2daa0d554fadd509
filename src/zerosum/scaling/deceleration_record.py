"""What size does to the deceleration of a family of runs, as a record."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.deceleration import Fit
from zerosum.estimate import Estimate
from zerosum.interference import over_repeats
from zerosum.record import Record
from zerosum.scaling.fitted_law import FAR
from zerosum.scaling.joint_laws import Gain
from zerosum.scaling.reason import Reason
from zerosum.scaling.size_family import FittedRun
from zerosum.scaling.size_laws import SizeLaw


@dataclass(frozen=True)
class SizeRow:
    """One size. runs: its seeds. in_laws: whether the laws use it. verdicts: of the fits of its runs.

    t_d: steps. t_d_tokens: NaN where no tokens are known. L_T: loss at the last fitted step. seed_sd: standard
    deviation between seeds, NaN with one.
    """

    runs: tuple[str, ...]
    n_params: float
    L_d: Estimate
    t_d: Estimate
    t_d_tokens: Estimate
    r_d: Estimate
    L_T: Estimate
    last_step: float
    tokens_per_step: float
    seed_sd: Mapping[str, float]
    verdicts: tuple[str, ...]
    in_laws: bool

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        numbers = {name: getattr(self, name).to_json() for name in ("L_d", "t_d", "t_d_tokens", "r_d", "L_T")}
        known = self.tokens_per_step == self.tokens_per_step
        return {
            "run": " + ".join(self.runs),
            "n_params": self.n_params,
            "seeds": len(self.runs),
            **numbers,
            "last_step": self.last_step,
            "tokens_per_step": self.tokens_per_step if known else None,
            "seed_sd": {name: sd for name, sd in self.seed_sd.items() if math.isfinite(sd)},
            "verdicts": list(self.verdicts),
            "in_laws": self.in_laws,
        }


@dataclass(frozen=True)
class Violation:
    """Two neighbouring sizes whose order contradicts the direction of the law.

    at_smaller, at_larger: the quantity. shown: whether their difference is more than its errors.
    """

    quantity: str
    smaller: float
    larger: float
    at_smaller: float
    at_larger: float
    shown: bool


@dataclass(frozen=True)
class Ahead:
    """A size by the laws. numbers: "L_d", "t_d", "r_d". loss: after T steps (or tokens). reasons: how far it is."""

    n_params: float
    T: float
    numbers: Mapping[str, Estimate]
    loss: Estimate
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        numbers = {name: estimate.to_json() for name, estimate in self.numbers.items()}
        reasons = [vars(reason) for reason in self.reasons]
        return {"n_params": self.n_params, "T": self.T, **numbers, "loss": self.loss.to_json(), "reasons": reasons}


@dataclass(frozen=True)
class HeldOutSize:
    """The largest size by the laws of the others. measured: its own numbers. reached: its loss, nats per token."""

    ahead: Ahead
    measured: Mapping[str, float]
    reached: float

    @property
    def error(self) -> float:
        """Relative error of the predicted loss; below 0 is optimistic."""
        return self.ahead.loss.value / self.reached - 1

    @property
    def held(self) -> bool:
        """Whether the interval holds the loss that was reached."""
        return not self.ahead.loss.excludes(self.reached)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        own = {"measured": dict(self.measured), "reached": self.reached, "error": self.error, "held": self.held}
        return self.ahead.to_json() | own


@dataclass(frozen=True, repr=False)
class DecelerationAcrossSizes(Record):
    """Fits of runs of several sizes, and laws over N. sizes: rising. laws: of L_d, t_d, r_d, and t_d in other units.

    gains: from the smallest to the largest size, then between neighbours. violations: see there. ahead: of the sizes
    that were asked for. held_out: None with fewer than four sizes. N_is: what N counts. axis: "steps" or "tokens", in
    which t_d and the length of runs are compared. correlation: of the misfits of neighbouring sizes, the median.
    """

    sizes: tuple[SizeRow, ...]
    laws: tuple[SizeLaw, ...]
    gains: tuple[Gain, ...]
    violations: tuple[Violation, ...]
    ahead: tuple[Ahead, ...]
    held_out: HeldOutSize | None
    N_is: str
    axis: str
    correlation: float
    reasons: tuple[Reason, ...]
    level: float
    fits: tuple[Fit, ...]

    def law(self, quantity: str) -> SizeLaw | None:
        """The law of a quantity, where there is one."""
        return next((law for law in self.laws if law.quantity == quantity), None)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "N_is": self.N_is,
            "axis": self.axis,
            "level": self.level,
            "misfit_correlation": self.correlation,
            "sizes": [row.to_json() for row in self.sizes],
            "laws": [law.to_json() for law in self.laws],
            "shares": [gain.to_json() for gain in self.gains],
            "violations": [vars(violation) for violation in self.violations],
            "predicted": [one.to_json() for one in self.ahead],
            "held_out": None if self.held_out is None else self.held_out.to_json(),
            "reasons": [vars(reason) for reason in self.reasons],
        }


def size_rows(fitted: Sequence[FittedRun]) -> tuple[SizeRow, ...]:
    """One row for each size, of runs in the order of N."""
    return tuple(_row(list(runs)) for _, runs in groupby(fitted, key=lambda one: one.run.size.N))


def _row(runs: Sequence[FittedRun]) -> SizeRow:
    used = [one for one in runs if one.usable] or list(runs)
    fits = [one.fit for one in used]
    tokens = [one.tokens_at(one.fit.t_d) / one.fit.t_d for one in used]
    values = {name: [fit.estimate(name) for fit in fits] for name in ("L_d", "t_d", "r_d", "L_T")}
    means = {name: _over_seeds(estimates) for name, estimates in values.items()}
    return SizeRow(
        runs=tuple(one.run.name for one in runs),
        n_params=runs[0].run.size.N,
        L_d=means["L_d"],
        t_d=means["t_d"],
        t_d_tokens=_over_seeds([e.scaled(by, "tokens") for e, by in zip(values["t_d"], tokens, strict=True)]),
        r_d=means["r_d"],
        L_T=means["L_T"],
        last_step=min(fit.last_step for fit in fits),
        tokens_per_step=runs[0].run.tokens_per_step,
        seed_sd={
            name: float(np.std([estimate.value for estimate in values[name]], ddof=1)) if len(used) > 1 else math.nan
            for name in ("L_d", "t_d", "r_d")
        },
        verdicts=tuple(one.fit.verdict for one in runs),
        in_laws=any(one.usable for one in runs),
    )


def _over_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """The estimate of one run, or the mean over the seeds."""
    first = estimates[0]
    if len(estimates) > 1:
        return over_repeats([estimate.value for estimate in estimates], "seeds", first.unit)
    return first if first.known or first.reason else Estimate(math.nan, reason="no tokens are known", unit=first.unit)


def far(N: float, seen: Float[np.ndarray, " k"]) -> tuple[Reason, ...]:
    """The reason that a size is far beyond the sizes fitted, if it is."""
    ratio = max(N / float(seen.max()), float(seen.min()) / N)
    if ratio <= FAR:
        return ()
    text = (
        f"{N:.3g} parameters are {ratio:.3g} times beyond the fitted ones: the interval holds only if the laws do, "
        "which these data cannot show"
    )
    return (Reason("far-extrapolation", "note", text),)
