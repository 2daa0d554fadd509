"""Other laws than the one break, fitted to the same points, as a check on the break.

A floor describes some real curves better than a break does. To add a law: one entry in `MODELS`.
Letters: n points, p parameters, B weightings of the points (0 leaves a point out).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zerosum.deceleration import floors, n_breaks
from zerosum.deceleration._record import ModelRow, Reason
from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.left_out import BLOCKS, leave_out
from zerosum.deceleration.varpro import refine, solve

Theta = Float[np.ndarray, " p"]
Points = Float[np.ndarray, " n"]
Weights = Float[np.ndarray, "B n"]
Thetas = Float[np.ndarray, "B p"]
CLEARLY, FAR = 1.25, 10.0  # factors in the criterion: that count; that leave no sense in the break
ONE_BREAK = "one break"  # name of the law that `fit` fits
FEWEST = 12  # points, and four more than parameters


@dataclass(frozen=True)
class Law:
    """parameters: their names. log_loss: (theta, x) -> y. fit: (x, y, weights) -> the least-squares thetas.

    The first row of the weights is all points; searches for the others may start from its optimum.
    """

    name: str
    parameters: tuple[str, ...]
    log_loss: Callable[[Theta, Points], Points]
    fit: Callable[[Points, Points, Weights], Thetas]


def _line(theta: Theta, x: Points) -> Points:
    return np.asarray(theta[0] - theta[1] * x)


def _fit_line(x: Points, y: Points, weights: Weights) -> Thetas:
    lines = [np.polyfit(x[rows], y[rows], 1) for rows in weights > 0]
    return np.array([[level, -slope] for slope, level in lines])


def _one_break(theta: Theta, x: Points) -> Points:
    log_L_d, r_before, r_d, at, log_f = (float(value) for value in theta)
    return np.asarray(log_L_d - r_before * (x - at) - (r_d - r_before) * hinge(x, at, float(np.exp(log_f))))


def _fit_one_break(x: Points, y: Points, weights: Weights) -> Thetas:
    s = refine(x, y, weights, solve(x, y, (weights > 0) * 1.0))
    return np.stack([s.log_L_d, s.r_before, s.r_d, s.log_t_d, s.log_f], axis=-1)


def _breaks(words: str, K: int) -> Law:
    def fit(x: Points, y: Points, weights: Weights) -> Thetas:
        return n_breaks.solve_breaks(x, y, weights, K).theta

    return Law(words, n_breaks.parameter_names(K), n_breaks.log_loss, fit)


_FLOOR = ("log_A", "alpha", "log_E")
_BREAK = ("log_L_d", "r_before", "r_d", "log_t_d", "log_f")
MODELS = (
    Law("power law", ("log_b", "r"), _line, _fit_line),
    Law("power law with floor", _FLOOR, floors.shifted_power_law, floors.fit_power_law),
    Law("shifted power law with floor", (*_FLOOR, "log_t0"), floors.shifted_power_law, floors.fit_shifted_power_law),
    Law(ONE_BREAK, _BREAK, _one_break, _fit_one_break),
    Law("one break with floor", (*_BREAK, "log_E"), floors.broken_above_floor, floors.fit_broken),
    _breaks("two breaks", 2),
    _breaks("three breaks", 3),
)


def compare_points(
    x: Points,
    y: Points,
    block: Int[np.ndarray, " n"],
    laws: tuple[Law, ...] = MODELS,
    weight: Float[np.ndarray, " n"] | None = None,
) -> tuple[ModelRow, ...]:
    """Every law on the same points. x: [n] log steps. y: [n] log losses. block: [n] as `Points.blocks` numbers them.

    weight: [n] of the points, for laws with breaks; None, and with stretches left out: all points weigh alike.
    """
    alike = np.ones(len(x))
    rows = []
    for law in laws:
        k, theta, rsle, criterion = len(law.parameters), np.zeros(0), float("nan"), float("nan")
        if len(np.unique(x)) >= max(FEWEST, k + 4):
            theta, *refits = law.fit(x, y, np.stack([alike if weight is None else weight, *leave_out(alike, block)]))
            rsle = float(np.sqrt(np.mean((law.log_loss(theta, x) - y) ** 2)))
            criterion = left_out_error(law.log_loss, refits, x, y, block)
        rows.append(ModelRow(law.name, k, rsle, criterion, dict(zip(law.parameters, theta.tolist(), strict=False))))
    return tuple(rows)


def left_out_error(
    log_loss: Callable[[Theta, Points], Points],
    refits: list[Theta],
    x: Points,
    y: Points,
    block: Int[np.ndarray, " n"],
) -> float:
    """Blocked cross-validation: root mean squared error of log loss where each block is predicted by the others.

    refits: the optimum without each block. Residuals of loss curves are so autocorrelated that 200 points may be worth
    five independent ones: an information criterion has nothing to count with, this does.
    """
    squares = 0.0
    for k in range(BLOCKS):
        out = block == k
        squares += float(((log_loss(refits[k], x[out]) - y[out]) ** 2).sum())
    return float(np.sqrt(squares / len(x)))


def preferred(rows: tuple[ModelRow, ...]) -> tuple[Reason, ...]:
    """The reason that another law predicts left-out stretches clearly better; blocking where it does so by far.

    Of laws that predict them about as well as the best, it names the one with the fewest parameters.
    """
    ours = next((row.criterion for row in rows if row.name == ONE_BREAK), float("nan"))
    least = min((row.criterion for row in rows if np.isfinite(row.criterion)), default=np.inf)
    if not least * CLEARLY < ours:
        return ()
    best = min((row for row in rows if row.criterion <= least * CLEARLY), key=lambda row: row.n_params)
    text = (
        f"{best.name} ({best.n_params} parameters) describes the curve better than one break: error on left-out "
        f"stretches {best.criterion:.2g} instead of {ours:.2g}"
    )
    if least * FAR < ours:
        return (Reason("another-model-preferred", "blocking", text),)
    return (Reason("another-model-preferred", "note", text),)
