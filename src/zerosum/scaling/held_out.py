"""How well a law predicts a run to which it was not fitted, beside simpler ways to predict it.

Source: Choshen et al. 2024 (arXiv 2410.11840): laws are fitted to all checkpoints after a cut, not to final losses
alone, and judged by the mean absolute relative error on the last 30 % of the largest model.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.scaling.fitted_law import Prediction
from zerosum.scaling.fitting import fitted_law, too_little
from zerosum.scaling.law import Law, variable
from zerosum.scaling.laws import law as law_of
from zerosum.scaling.one_break import one_break_errors
from zerosum.scaling.reading import read_table
from zerosum.scaling.reason import Reason
from zerosum.scaling.search import search
from zerosum.scaling.table import LossTable

LAST = 0.3  # share of the held-out run's tokens, at its end, on which errors are measured
NEAREST = 3  # sizes
PER_AXIS = 5  # 125 starts of Chinchilla's law: the minimum matters here, not how many starts reach it
Used = Literal["all-checkpoints", "finals-only", "nearest-3", "one-break"]


@dataclass(frozen=True)
class HeldOutLoss:
    """A loss of the held-out run. predicted: by the law of the other runs, nats, with a prediction interval.

    last: whether it lies in the last 30 % of the run's tokens.
    """

    run: str
    n_params: float
    tokens: float
    loss: float
    predicted: Estimate
    last: bool

    @property
    def error(self) -> float:
        """Predicted over measured loss, minus 1; below 0 is optimistic."""
        return float(self.predicted.value) / self.loss - 1

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        predicted = {"predicted": self.predicted.value, "interval": self.predicted.to_json()["interval"]}
        measured = {"run": self.run, "n_params": self.n_params, "tokens": self.tokens, "loss": self.loss}
        return measured | predicted | {"error": self.error, "last": self.last}


@dataclass(frozen=True)
class ProtocolError:
    """Mean absolute relative error on the last 30 % of the held-out run's tokens. error: its N counts these losses.

    used: all checkpoints of other runs, their final losses alone, the three nearest sizes alone, or a one-break law
    (BNSL) fitted to the earlier part of the held-out run itself. n: losses used.
    """

    used: Used
    n: int
    error: Estimate

    def to_json(self, law: str) -> dict[str, Any]:
        """As a JSON document."""
        return {"law": law, "used": self.used, "n": self.n, "error": self.error.to_json()}


@dataclass(frozen=True, repr=False)
class HeldOut(Record):
    """What the law of the other runs predicts for the held-out ones, and the errors of the protocol."""

    law: str
    runs: tuple[str, ...]
    losses: tuple[HeldOutLoss, ...]
    protocol: tuple[ProtocolError, ...]
    reasons: tuple[Reason, ...]


def hold_out(
    table: Any,
    law: str = "chinchilla",
    *,
    run: str = "largest",
    delta: float | None = None,
    draws: int = 1_000,
    seed: int = 0,
    **reading: Any,
) -> HeldOut:
    """Fit a law without a run and predict that run's losses.

    table, delta, draws: as for `fit`. run: a run's name, or "largest" for all runs of the largest size. Errors that
    cannot be had, such as with too few other sizes, are NaN with the reason. Raises InputError for an unknown run.
    """
    chosen, data = law_of(law), read_table(table, **reading)
    delta = chosen.delta_or(delta)
    for name in chosen.variables:
        variable(data, name)
    out = _chosen(data, run)
    target, rest = data.rows(out), data.rows(~out)
    last = _last(target)
    predictions, why = _predictions(rest, target, chosen, delta, draws, seed)
    losses = tuple(
        HeldOutLoss(
            target.run[k], float(target.N[k]), float(target.D[k]), float(target.loss[k]), one.loss, bool(last[k])
        )
        for k, one in enumerate(predictions)
    )
    end, by_break = target.rows(last), one_break_errors(target, last)
    protocol = (
        ProtocolError("all-checkpoints", len(rest), _mean([loss.error for loss in losses if loss.last], why)),
        _by_law("finals-only", rest.rows(_finals(rest)), end, chosen, delta),
        _by_law("nearest-3", rest.rows(_nearest(rest, target)), end, chosen, delta),
        ProtocolError("one-break", by_break[1], _mean(by_break[0], by_break[2])),
    )
    furthest = max(predictions, key=lambda one: one.at.get("D", one.at.get("S", 0.0)), default=None)
    return HeldOut(law, tuple(dict.fromkeys(target.run)), losses, protocol, furthest.reasons if furthest else ())


def _chosen(data: LossTable, run: str) -> Bool[np.ndarray, " n"]:
    """The rows to hold out."""
    if run == "largest":
        return np.asarray(data.N.max() == data.N)
    out = np.array([name == run for name in data.run])
    if not out.any():
        nearest = get_close_matches(run, data.run, n=1)
        advice = f"Did you mean {nearest[0][:60]!r}?" if nearest else "Give a run of the table, largest or none."
        raise InputError(f"{data.source}: no run {run[:60]!r} to hold out. {advice}")
    return out


def _last(target: LossTable) -> Bool[np.ndarray, " n"]:
    """The rows in the last 30 % of their run's tokens."""
    number = target.run_number
    most = np.array([target.D[number == k].max() for k in range(int(number.max()) + 1)])
    return np.asarray(target.D / most[number] > 1 - LAST)


def _predictions(
    rest: LossTable, target: LossTable, law: Law, delta: float | None, draws: int, seed: int
) -> tuple[list[Prediction], str]:
    """A prediction of each target row by the law of the rest, or none and why."""
    if why := too_little(rest, law):
        return [], why
    fitted = fitted_law(rest, law, delta=delta, per_axis=PER_AXIS, draws=draws, seed=seed)
    return fitted.predictions({name: variable(target, name) for name in law.variables}), ""


def _finals(rest: LossTable) -> list[int]:
    """The row of the most tokens of each run."""
    number = rest.run_number
    runs = [np.flatnonzero(number == k) for k in range(int(number.max(initial=-1)) + 1)]
    return [int(rows[rest.D[rows].argmax()]) for rows in runs]


def _nearest(rest: LossTable, target: LossTable) -> Bool[np.ndarray, " n"]:
    """Rows of the three sizes nearest to the target's, by ratio."""
    away = np.abs(np.log(rest.sizes / target.N.max()))
    return np.isin(rest.N, rest.sizes[away.argsort()[:NEAREST]])


def _by_law(used: Used, rows: LossTable, end: LossTable, law: Law, delta: float | None) -> ProtocolError:
    if why := too_little(rows, law):
        return ProtocolError(used, len(rows), _mean([], why))
    best = search(rows, law, delta=delta, per_axis=PER_AXIS)
    at = {"N": end.N, "D": end.D, "S": end.step}
    logs = {name: np.log(at[name]) - best.centre[name] for name in law.variables}
    predicted = np.exp(law.terms(logs).value(best.theta[None])[0])
    return ProtocolError(used, len(rows), _mean(predicted / end.loss - 1))


def _mean(errors: Sequence[float] | Float[np.ndarray, " n"], why: str = "") -> Estimate:
    """Mean absolute value. why: there are none. Losses of one run are no sample of runs: no interval is given."""
    if len(errors) == 0:
        return Estimate(math.nan, reason=why, N=0, of="losses")
    return Estimate(float(np.abs(errors).mean()), reason="losses of one run", N=len(errors), of="losses")
