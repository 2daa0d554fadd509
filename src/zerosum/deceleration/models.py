"""Laws beside the one break, fitted to the same points, so that nobody takes a break for granted.

A floor describes some real curves better than a break does. To add a law: one entry in `MODELS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import least_squares

from zerosum.deceleration import floors
from zerosum.deceleration._record import ModelRow, Reason
from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.two_breaks import two_break_bounds, two_break_starts, two_breaks
from zerosum.deceleration.varpro import solve

Theta = Float[np.ndarray, " p"]
Points = Float[np.ndarray, " n"]
CLEARLY = 1.25  # factor in the criterion that counts


@dataclass(frozen=True)
class Law:
    """parameters: their names. log_loss: (theta, x) -> y. starts: (x, y) -> thetas. bounds: None: they are optima."""

    name: str
    parameters: tuple[str, ...]
    log_loss: Callable[[Theta, Points], Points]
    starts: Callable[[Points, Points], list[Theta]]
    bounds: Callable[[Points, Points], tuple[Theta, Theta]] | None = None


def _line(theta: Theta, x: Points) -> Points:
    return np.asarray(theta[0] - theta[1] * x)


def _line_start(x: Points, y: Points) -> list[Theta]:
    slope, level = np.polyfit(x, y, 1)
    return [np.array([level, -slope])]


def _one_break(theta: Theta, x: Points) -> Points:
    log_L_d, r_before, r_d, at, log_f = (float(value) for value in theta)
    return np.asarray(log_L_d - r_before * (x - at) - (r_d - r_before) * hinge(x, at, float(np.exp(log_f))))


def _one_break_start(x: Points, y: Points) -> list[Theta]:
    s = solve(x, y, np.ones((1, len(x))))
    return [np.array([s.log_L_d[0], s.r_before[0], s.r_d[0], s.log_t_d[0], s.log_f[0]])]


_FLOOR = ("log_A", "alpha", "log_E")
_BREAK = ("log_L_d", "r_before", "r_d", "log_t_d", "log_f")
MODELS = (
    Law("power law", ("log_b", "r"), _line, _line_start),
    Law("power law with floor", _FLOOR, floors.shifted_power_law,
        lambda x, y: floors.power_law_starts(x, y, (-np.inf,)),
        lambda x, y: floors.power_law_bounds(x, y, shifted=False)),
    Law("shifted power law with floor", (*_FLOOR, "log_t0"), floors.shifted_power_law,
        lambda x, y: floors.power_law_starts(x, y, tuple(np.linspace(x[0] - 2, x[-1] - np.log(20), 8))),
        lambda x, y: floors.power_law_bounds(x, y, shifted=True)),
    Law("one break", _BREAK, _one_break, _one_break_start),
    Law("one break with floor", (*_BREAK, "log_E"), floors.broken_above_floor, floors.broken_starts,
        floors.broken_bounds),
    Law("two breaks", ("log_b", "r", "g1", "g2", "log_t1", "log_f1", "log_t2", "log_f2"), two_breaks,
        two_break_starts, two_break_bounds),
)  # fmt: skip
FEWEST = 12  # points; the two-break law has eight parameters


def optimum(law: Law, x: Points, y: Points, starts: list[Theta] | None = None) -> Theta:
    """The least-squares parameters: the best end of a bounded search from each start, by default the law's own."""
    if law.bounds is None:
        return law.starts(x, y)[0]
    low, high = law.bounds(x, y)

    def residual(theta: Theta) -> Points:
        return np.asarray(law.log_loss(theta, x) - y)

    inside = [np.clip(start, low + 1e-9, high - 1e-9) for start in starts or law.starts(x, y)]
    ends = [least_squares(residual, start, bounds=(low, high), x_scale="jac", max_nfev=200) for start in inside]
    return np.asarray(min(ends, key=lambda end: end.cost).x)


def compare_points(x: Points, y: Points, block: Int[np.ndarray, " n"]) -> tuple[ModelRow, ...]:
    """Every law on the same points. x: [n] log steps. y: [n] log losses. block: [n] as `Points.blocks` numbers them."""
    rows = []
    for law in MODELS:
        k, theta, rsle, criterion = len(law.parameters), np.zeros(0), float("nan"), float("nan")
        if len(np.unique(x)) >= FEWEST:
            theta = optimum(law, x, y)
            rsle = float(np.sqrt(np.mean((law.log_loss(theta, x) - y) ** 2)))
            criterion = left_out_error(law, theta, x, y, block)
        rows.append(ModelRow(law.name, k, rsle, criterion, dict(zip(law.parameters, theta.tolist(), strict=False))))
    return tuple(rows)


def left_out_error(law: Law, theta: Theta, x: Points, y: Points, block: Int[np.ndarray, " n"]) -> float:
    """Blocked cross-validation: root mean squared error of log loss where each block is predicted by the others.

    theta: the optimum on all points, from which the refits start. Residuals of loss curves are so autocorrelated that
    200 points may be worth five independent ones: an information criterion has nothing to count with, this does.
    """
    squares = 0.0
    for k in range(int(block.max()) + 1):
        out = block == k
        refit = optimum(law, x[~out], y[~out], [theta])
        squares += float(((law.log_loss(refit, x[out]) - y[out]) ** 2).sum())
    return float(np.sqrt(squares / len(x)))


def preferred(rows: tuple[ModelRow, ...]) -> tuple[Reason, ...]:
    """A note where another law predicts left-out stretches clearly better than the one break does."""
    ours = next((row.criterion for row in rows if row.name == "one break"), float("nan"))
    best = min(rows, key=lambda row: row.criterion if np.isfinite(row.criterion) else np.inf)
    if not best.criterion * CLEARLY < ours:
        return ()
    text = (
        f"{best.name} ({best.n_params} parameters) describes the curve better than one break: error on left-out "
        f"stretches {best.criterion:.2g} instead of {ours:.2g}"
    )
    return (Reason("another-model-preferred", "note", text),)
