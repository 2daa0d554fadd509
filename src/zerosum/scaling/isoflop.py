"""Compute-optimal sizes by approach 2: the minimum of a parabola through the losses of each budget of FLOPs.

Source: Hoffmann et al. 2022 (arXiv 2203.15556), section 3.2. The parabola of loss in log N is an approximation, whose
minimum is biased where a budget's sizes lie unevenly around it.

Letters: m budgets.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.scaling.fitted_law import FAR, Optimal
from zerosum.scaling.optimum import FLOPS, require_budget
from zerosum.scaling.reading import read_table
from zerosum.scaling.reason import Reason
from zerosum.scaling.table import LossTable

NAME, FORM = "iso-flop", "N = k C^a, D = C^b / 6k"
SAME_BUDGET = 0.15  # rows whose log C differ by less from their neighbour are one budget
WIDEST_BUDGET = 0.6  # in log C; rows that reach further without a gap lie along curves
FEWEST_SIZES, FEWEST_BUDGETS = 3, 3
LEVEL = 0.95


@dataclass(frozen=True)
class Budget:
    """One budget.

    flops: geometric mean of its rows. n_params, loss: at the parabola's minimum; NaN with a reason. curvature: c of
    the parabola, loss + c (log N - log n_params)^2. N, losses: [n] of its rows.
    """

    flops: float
    n_params: Estimate
    loss: Estimate
    curvature: float
    N: Float[np.ndarray, " n"]
    losses: Float[np.ndarray, " n"]

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.N)

    @property
    def tokens(self) -> Estimate:
        """D = C / 6N at the minimum."""
        return tokens_of(self.flops, self.n_params)


def tokens_of(flops: float, size: Estimate) -> Estimate:
    """D = C / 6N of a budget and a size."""
    ends = size.interval and (flops / FLOPS / size.interval[1], flops / FLOPS / size.interval[0])
    return replace(size, value=flops / FLOPS / size.value, interval=ends, unit="tokens")


@dataclass(frozen=True, repr=False)
class IsoFlop(Record):
    """N_opt = k C^a and D_opt = C^b / 6k, b = 1 - a, through the minima of all budgets that have one.

    at, sizes: [m] log C and log N_opt of these budgets. N_is: what N counts. reasons: what to keep in mind.
    """

    budgets: tuple[Budget, ...]
    a: Estimate
    b: Estimate
    at: Float[np.ndarray, " m"]
    sizes: Float[np.ndarray, " m"]
    N_is: str
    reasons: tuple[Reason, ...]

    def optimal(self, flops: float) -> Optimal:
        """N and D of a budget by the power through the minima, with the interval of the straight line's mean.

        The loss has no value: parabolas say nothing about other budgets. Raises InputError for a budget up to 0.
        """
        require_budget(flops)
        value, half = _line(self.at, self.sizes, math.log(flops))
        ends = (math.exp(value - half), math.exp(value + half))
        size = Estimate(math.exp(value), ends, N=len(self.at), of="budgets", method="Student's t over budgets")
        loss = Estimate(math.nan, reason="parabolas have no loss of other budgets", unit="nats per token")
        ratio = math.exp(max(math.log(flops) - self.at.max(), self.at.min() - math.log(flops)))
        text = f"{flops:.3g} FLOPs are {ratio:.3g} times beyond the budgets: the interval holds only if the power does"
        reasons = (Reason("far-extrapolation", "note", text),) if ratio > FAR else ()
        return Optimal(NAME, flops, size, tokens_of(flops, size), loss, reasons)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        budgets = [
            {"flops": one.flops, "n": one.n}
            | {name: getattr(one, name).to_json() for name in ("n_params", "tokens", "loss")}
            for one in self.budgets
        ]
        powers = {"a": self.a.to_json(), "b": self.b.to_json()}
        reasons = [vars(reason) for reason in self.reasons]
        return {"name": NAME, "form": FORM, "N_is": self.N_is, **powers, "budgets": budgets, "reasons": reasons}


def isoflop(table: Any, **reading: Any) -> IsoFlop:
    """The best size of each budget, and how it grows. table: as for `fit`.

    Raises InputError with fewer than three budgets whose parabola has a minimum within the sizes trained.
    """
    data = read_table(table, **reading)
    log_C = np.log(FLOPS * data.N * data.D)
    order = log_C.argsort(kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(log_C[order]) > SAME_BUDGET) + 1)
    for rows in (rows for rows in groups if np.ptp(log_C[rows]) > WIDEST_BUDGET):
        low, high = np.exp(log_C[rows[[0, -1]]])
        raise InputError(
            f"{data.source}: between row {rows[0] + 1} ({low:.3g} FLOPs) and row {rows[-1] + 1} ({high:.3g}) is no gap "
            "(losses along runs?). Give losses at a few budgets C = 6 N D, each with several sizes."
        )
    budgets = tuple(_budget(data.rows(rows)) for rows in groups)
    there = [budget for budget in budgets if budget.n_params.known]
    if len(there) < FEWEST_BUDGETS:
        why = next((f" ({one.n_params.reason})" for one in budgets if not one.n_params.known), "")
        raise InputError(
            f"{data.source}: rows 1 to {len(data)} have {len(budgets)} budgets C = 6 N D, {len(there)} of them with a "
            f"best size{why}. Give {FEWEST_BUDGETS} or more budgets with sizes on both sides of the best."
        )
    at = np.log([budget.flops for budget in there])
    sizes = np.log([budget.n_params.value for budget in there])
    slope, half = _slope(at, sizes)
    a = Estimate(slope, (slope - half, slope + half), N=len(there), of="budgets", method="Student's t over budgets")
    b = Estimate(1 - slope, (1 - slope - half, 1 - slope + half), N=a.N, of=a.of, method=a.method)
    return IsoFlop(budgets, a, b, at, sizes, data.N_is, data.notes)


def _budget(rows: LossTable) -> Budget:
    flops = float(np.exp(np.log(FLOPS * rows.N * rows.D).mean()))
    size, loss, curvature = _minimum(np.log(rows.N), rows.loss)
    return Budget(flops, size, loss, curvature, rows.N, rows.loss)


def _minimum(x: Float[np.ndarray, " n"], loss: Float[np.ndarray, " n"]) -> tuple[Estimate, Estimate, float]:
    """Size and loss at the minimum of a parabola, and its curvature; NaN with the reason where there is none."""
    n, sizes = len(x), len(np.unique(x))
    if sizes < FEWEST_SIZES:
        return _none(n, f"{sizes} sizes; a parabola needs {FEWEST_SIZES}")
    centre = float(x.mean())
    columns = np.stack([np.ones(n), x - centre, (x - centre) ** 2], axis=-1)
    (c0, c1, c2), *_ = np.linalg.lstsq(columns, loss, rcond=None)
    place = -c1 / (2 * c2) if c2 > 0 else math.nan
    if not x.min() <= centre + place <= x.max():
        return _none(n, "no minimum within the sizes trained")
    best, lowest = math.exp(centre + place), float(c0 - c1**2 / (4 * c2))
    if n == FEWEST_SIZES:
        why = "three points leave no residual"
        size, bottom = (Estimate(value, reason=why, N=n, of="rows") for value in (best, lowest))
        return size, bottom, float(c2)
    residual = loss - columns @ [c0, c1, c2]
    covariance = np.linalg.inv(columns.T @ columns) * (residual @ residual) / (n - 3)
    t = float(stdtrit(n - 3, (1 + LEVEL) / 2))
    of_place = np.array([0.0, -1 / (2 * c2), c1 / (2 * c2**2)])
    of_loss = np.array([1.0, place, place**2])
    half, half_loss = (t * math.sqrt(max(float(g @ covariance @ g), 0.0)) for g in (of_place, of_loss))
    method = "delta method, Student's t"
    ends = (best * math.exp(-half), best * math.exp(half))
    size = Estimate(best, ends, N=n, of="rows", method=method)
    around = (lowest - half_loss, lowest + half_loss)
    return size, Estimate(lowest, around, "", n, "rows", "nats per token", LEVEL, method), float(c2)


def _none(n: int, why: str) -> tuple[Estimate, Estimate, float]:
    size = Estimate(math.nan, reason=why, N=n, of="rows")
    return size, Estimate(math.nan, reason=why, N=n, of="rows", unit="nats per token"), math.nan


def _slope(x: Float[np.ndarray, " m"], y: Float[np.ndarray, " m"]) -> tuple[float, float]:
    """Slope of the least-squares line and half of its 95 % interval."""
    around = x - x.mean()
    slope = float(around @ y / (around @ around))
    residual = y - y.mean() - slope * around
    error = math.sqrt(float(residual @ residual) / (len(x) - 2) / float(around @ around))
    return slope, float(stdtrit(len(x) - 2, (1 + LEVEL) / 2)) * error


def _line(x: Float[np.ndarray, " m"], y: Float[np.ndarray, " m"], at: float) -> tuple[float, float]:
    """The line at one place and half of its 95 % interval there."""
    slope, _ = _slope(x, y)
    value = float(y.mean()) + slope * (at - float(x.mean()))
    residual = y - y.mean() - slope * (x - x.mean())
    spread = 1 / len(x) + (at - x.mean()) ** 2 / float(((x - x.mean()) ** 2).sum())
    error = math.sqrt(float(residual @ residual) / (len(x) - 2) * spread)
    return value, float(stdtrit(len(x) - 2, (1 + LEVEL) / 2)) * error
