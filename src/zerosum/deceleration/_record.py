"""The record of a fit: numbers with intervals, verdict and reasons."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.curves import LossCurve
from zerosum.deceleration.bnsl import BNSL, Steps
from zerosum.deceleration.fit_errors import FitErrors
from zerosum.errors import InputError
from zerosum.estimate import Estimate, Interval, number_or_reason, numbers_or_reasons
from zerosum.record import Record

NATS = "nats per token"
ProcedureName = Literal["robust", "paper"]
Phase = Literal["stable", "whole"]
VerdictWord = Literal["decelerates", "no-break", "accelerates", "cannot-tell"]
Level = Literal["blocking", "note"]
ReasonCode = Literal[
    "too-few-points",
    "starts-too-late",
    "range-too-short",
    "break-not-shown",
    "power-law-suffices",
    "bends-more-than-once",
    "break-at-edge",
    "side-not-measured",
    "break-below-cutoff",
    "break-not-located",
    "turns-back",
    "width-at-bound",
    "unstable-cutoff",
    "warm-up",
    "cooldown",
    "step-down",
    "rate-not-logged",
    "not-a-cross-entropy",
    "loss-rises",
    "gap",
    "resumed",
    "diverged",
    "spikes",
    "another-model-preferred",
    "already-smoothed",
    "published-start-fails",
    "covariance-errors",
    "n-gram-stage",
]


@dataclass(frozen=True)
class Reason:
    """Something to know about a fit. "blocking": the numbers must not be used; "note": they may, with this in mind.

    code: stable, for scripts and for its page in `reason_pages`. message: one sentence with the numbers in it.
    """

    code: ReasonCode
    level: Level
    message: str


@dataclass(frozen=True)
class CutoffRow:
    """The fit when steps up to `cutoff` are dropped. n_bins: points left; numbers are NaN where these are too few."""

    cutoff: float
    L_d: float
    t_d: float
    r_d: float
    n_bins: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; a number that cannot be given is null with a reason beside it."""
        out: dict[str, Any] = {"cutoff": self.cutoff, "n_bins": self.n_bins}
        numbers = {name: getattr(self, name) for name in ("L_d", "t_d", "r_d")}
        return out | numbers_or_reasons(numbers, "too few points above this cut-off")


@dataclass(frozen=True)
class ModelRow:
    """How one law describes a curve. rsle: root mean squared difference of log losses.

    criterion: the same over stretches that were left out of the fit (see `models.left_out_error`), so that more
    parameters do not win by themselves; smaller is better. params: by name, natural logs of nats and steps.
    With too few points the numbers are NaN and there are no params.
    """

    name: str
    n_params: int
    rsle: float
    criterion: float
    params: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; a number that cannot be given is null with a reason beside it."""
        out: dict[str, Any] = {"name": self.name, "n_params": self.n_params}
        for name in ("rsle", "criterion"):
            out |= number_or_reason(name, getattr(self, name), "too few points for this many parameters")
        return out | {"params": dict(self.params)}


UNITS = {"L_d": NATS, "t_d": "steps", "r_d": "", "L_T": NATS, "L_T_hat": NATS, "rsle": ""}
EVIDENCE = ("power_law_error", "break_evidence")  # for a break
OF_THE_BREAK = ("L_d", "t_d", "r_d", "L_T_hat")  # may be used only where there is a break


@dataclass(frozen=True, repr=False)
class Fit(Record):
    """One-break fit of a loss curve. Losses in nats, t_d in steps, r_d a log-log rate without unit.

    params: the law itself. errors: standard errors in the published parameters (b, c0, c1, log_d1, f1), procedure
    "paper" only: they assume independent residuals, which those of loss curves are not; prefer `intervals`.
    L_T: loss reached (last smoothed loss, or mean of the last log bin); L_T_hat: the asymptote at the last step.
    rsle: root mean squared difference of log losses over the points fitted.
    n_points: rows of the curve in the fitted range; n_bins: points that the least squares saw.
    first_step, last_step: the fitted range. cutoff: steps up to here were dropped.
    intervals: "L_d", "t_d", "r_d" -> (low, high), or None with the cause in `interval_reasons`.
    verdict: "decelerates", "no-break", "accelerates" or "cannot-tell"; reasons: why, and what else to know.
    cutoffs: how the numbers move with the cut-off. power_law_error: blocked cross-validation error of a plain power
    law as a multiple of this fit's; about 1 or less where there is no break. break_evidence: see `break_test`.
    models: other laws on the same points, where they were asked for. fit_errors: what the intervals are made of, for
    those of other numbers.
    Numbers that cannot be given are NaN.
    """

    curve: LossCurve
    procedure: ProcedureName
    params: BNSL
    errors: dict[str, float] | None
    L_d: float
    t_d: float
    r_d: float
    L_T: float
    L_T_hat: float
    rsle: float
    n_points: int
    n_bins: int
    first_step: float
    last_step: float
    cutoff: float
    intervals: dict[str, Interval | None]
    interval_level: float
    interval_method: str
    interval_reasons: dict[str, str]
    verdict: VerdictWord
    reasons: tuple[Reason, ...]
    cutoffs: tuple[CutoffRow, ...] = field(default=())
    power_law_error: float = float("nan")
    break_evidence: float = float("nan")
    models: tuple[ModelRow, ...] = field(default=())
    fit_errors: FitErrors | None = field(default=None, repr=False, compare=False)

    @property
    def has_break(self) -> bool:
        """Whether the verdict says that there is a break, so that its numbers may be used."""
        return self.verdict in ("decelerates", "accelerates")

    def estimate(self, name: str) -> Estimate:
        """One number with its interval, or the reason why there is none.

        name: "L_d", "t_d", "r_d"; or "L_T", "L_T_hat", "rsle", which have no interval. L_d, t_d, r_d and L_T_hat are
        NaN where the verdict says that there is no break to use; the attributes have what was fitted all the same.

        Raises InputError for another name.
        """
        if name not in UNITS:
            raise InputError(f"{name!r}: not a number of a fit. Choose one of {', '.join(UNITS)}.")
        interval, value = self.intervals.get(name), float(getattr(self, name))
        reason = "" if interval else self.interval_reasons.get(name, "no interval is computed for it")
        if name in OF_THE_BREAK and not self.has_break:
            interval, value, reason = None, float("nan"), f"the verdict is {self.verdict}"
        level, method = self.interval_level, self.interval_method
        return Estimate(value, interval, reason, self.n_points, "losses", UNITS[name], level, method)

    def predict(self, step: Steps) -> Float[np.ndarray, "..."]:
        """Loss in nats that the fitted law gives at each step. NaN where the step is not above 0."""
        return self.params.predict(step)

    def to_json(self) -> dict[str, Any]:
        """The fit as a JSON document; a number that cannot be given is null with "<name>_reason" beside it."""
        why = next((reason.message for reason in self.reasons if reason.level == "blocking"), "not identified")
        out: dict[str, Any] = {
            "name": self.curve.name,
            "source": self.curve.source,
            "format": self.curve.format,
            "columns": dict(self.curve.columns),
            "log": self._log(),
            "n_points": self.n_points,
            "procedure": self.procedure,
            "cutoff": self.cutoff,
        }
        names = ("first_step", "last_step", "L_d", "t_d", "r_d", "L_T", "L_T_hat", "rsle", *EVIDENCE)
        out |= numbers_or_reasons({name: getattr(self, name) for name in names}, why)
        params = numbers_or_reasons({name: getattr(self.params, name) for name in ("b", "c0", "c1", "d1", "f1")}, why)
        return out | {
            "params": params,
            **self._errors(),
            "n_bins": self.n_bins,
            "intervals": self._intervals(),
            "verdict": self.verdict,
            "reasons": [asdict(reason) for reason in self.reasons],
            "models": [model.to_json() for model in self.models],
            "cutoffs": [row.to_json() for row in self.cutoffs],
            "cleaning": list(map(str, self.curve.cleaning)),
            "cleaning_codes": list(self.curve.cleaning_codes),
        }

    def _log(self) -> dict[str, Any]:
        """Count and range of the curve as it was read and cleaned, the fitted rows and all others."""
        ends = {"first_step": float(self.curve.step[0]), "last_step": float(self.curve.step[-1])}
        return {"n_points": len(self.curve), **ends}

    def _errors(self) -> dict[str, Any]:
        if self.errors is None:
            return {"errors": None, "errors_reason": 'given by procedure "paper" alone; see intervals'}
        return {"errors": numbers_or_reasons(self.errors, "not identified by this curve")}

    def _intervals(self) -> dict[str, Any]:
        head: dict[str, Any] = {"level": self.interval_level, "method": self.interval_method}
        head["widening"] = 1.0  # of older versions, whose intervals were widened for autocorrelated residuals
        return head | intervals_or_reason(self.intervals, self.interval_reasons)


def intervals_or_reason(intervals: Mapping[str, Interval | None], reasons: Mapping[str, str]) -> dict[str, Any]:
    """Each interval as a list of two, or null with its reason beside it."""
    out: dict[str, Any] = {}
    for name, interval in intervals.items():
        out[name] = list(interval) if interval else None
        if interval is None:
            out[f"{name}_reason"] = reasons[name]
    return out
