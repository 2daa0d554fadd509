"""Procedure "paper": the published fit, to its last digit. Source: Mircea et al. 2025, appendix and published code.

Least squares on log loss, started where theirs is and moved by the same optimizer with the same tolerances, because
its numbers end where that optimizer stops, about 1e-5 beside the optimum. Unlike theirs it is checked against the
global optimum, which replaces it where the published start leads elsewhere (6 to 30 % of starts on real curves).
"""

import warnings

import numpy as np
from jaxtyping import Float
from scipy.optimize import OptimizeWarning, curve_fit

from zerosum.curves import LossCurve
from zerosum.deceleration._record import Reason
from zerosum.deceleration.bnsl import BNSL, hinge
from zerosum.deceleration.observed import Observed
from zerosum.deceleration.points import Points, thinned_points
from zerosum.deceleration.procedures import FittedLaw, Procedure, smoothing_notes

CUTOFF = 100.0
START_STEP, START_WIDTH = 6_000.0, 0.3
AS_GOOD = 1e-6  # relative difference in RSLE below which the published end point counts as the optimum
PARAMETERS = ("b", "c0", "c1", "log_d1", "f1")


def default_cutoff(curve: LossCurve, seen: Observed) -> float:
    """100 steps, as in Kaplan et al. 2020."""
    return CUTOFF


def estimate(points: Points, weight: Float[np.ndarray, " n"], best: BNSL) -> FittedLaw:
    """The published estimate: t_d is cut to whole steps, and L_d is read off at that step.

    best: the global optimum, used where the published way does not reach it.
    """
    used = weight > 0
    x, y = points.x[used], points.y[used]
    if not (np.isfinite(best.b) and best.b > 0):
        return FittedLaw(best, float("nan"))
    theta, covariance = _published(x, y)
    notes = [
        Reason("covariance-errors", "note", "standard errors assume independent residuals; intervals do not"),
        *smoothing_notes(points),
    ]
    at_best = _theta(best)
    if not _rsle(theta, x, y) <= _rsle(at_best, x, y) * (1 + AS_GOOD):
        theta, covariance = at_best, _covariance(at_best, x, y)
        text = "the published starting point does not lead to the best fit here; the best fit is given"
        notes.append(Reason("published-start-fails", "note", text))
    b, c0, c1, log_d1, f1 = (float(value) for value in theta)
    law = BNSL(b=b, c0=c0, c1=c1, d1=float(np.exp(log_d1)), f1=f1)
    with np.errstate(invalid="ignore"):  # rounding may make the variance of what is not identified negative
        errors = dict(zip(PARAMETERS, np.sqrt(np.diag(covariance)).tolist(), strict=True))
    # A break inside the first step has no whole step to be cut to.
    t_d = float(np.floor(law.d1)) if law.d1 >= 1 else law.d1
    return FittedLaw(law, t_d, errors, tuple(notes))


def _published(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "5"], Float[np.ndarray, "5 5"]]:
    failed = np.full(5, np.nan), np.full((5, 5), np.nan)
    start = _start(x, y)
    if not (np.isfinite(start).all() and start[0] > 0):
        return failed
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", OptimizeWarning)
            theta, covariance = curve_fit(_model, x, y, p0=start, method="dogbox")
    except (ValueError, RuntimeError):  # no finite residuals, or no end within the allowed evaluations
        return failed
    return np.asarray(theta), np.asarray(covariance)


def _start(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> Float[np.ndarray, "5"]:
    """Mean of the local slopes on either side of step 6,000; the last interval is left out.

    The first parameter is b, yet it starts at a value of log b, as published: it decides where the optimizer stops.
    """
    at = int(np.abs(x - np.log(START_STEP)).argmin())
    if at == 0 or at + 1 >= len(x) - 1:
        return np.full(5, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):  # repeated steps have no slope
        slope = -np.diff(y) / np.diff(x)
        c0, rate = slope[:at].mean(), slope[at:-1].mean()
        return np.array([y[0] + c0 * x[0], c0, rate - c0, np.log(START_STEP), START_WIDTH])


def _model(
    x: Float[np.ndarray, " n"], b: float, c0: float, c1: float, log_d1: float, f1: float
) -> Float[np.ndarray, " n"]:
    with np.errstate(divide="ignore", invalid="ignore"):  # the search may try b <= 0
        line: Float[np.ndarray, " n"] = np.log(b) - c0 * x
    return line - c1 * hinge(x, log_d1, f1)


def _theta(law: BNSL) -> Float[np.ndarray, "5"]:
    return np.array([law.b, law.c0, law.c1, np.log(law.d1), law.f1])


def _rsle(theta: Float[np.ndarray, "5"], x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> float:
    if not np.isfinite(theta).all():
        return float("nan")
    return float(np.sqrt(np.mean((_model(x, *theta) - y) ** 2)))


def _covariance(
    theta: Float[np.ndarray, "5"], x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "5 5"]:
    """Inverse of J'J, scaled by the residual variance: what `curve_fit` gives, with an analytic Jacobian."""
    b, _, c1, log_d1, f1 = theta
    u = (x - log_d1) / f1
    slope = 0.5 * (1 + np.tanh(u / 2))
    bend = hinge(x, log_d1, f1)
    J = np.stack([np.ones_like(x), -x, -bend, c1 * slope, -c1 * (bend / f1 - u * slope)], axis=-1)
    variance = len(x) * _rsle(theta, x, y) ** 2 / max(len(x) - 5, 1)
    of_log_b = np.linalg.pinv(J.T @ J) * variance
    scale = np.array([b, 1.0, 1.0, 1.0, 1.0])
    with np.errstate(over="ignore", under="ignore"):
        covariance: Float[np.ndarray, "5 5"] = scale[:, None] * of_log_b * scale
    return covariance


PROCEDURE = Procedure("paper", thinned_points, default_cutoff, estimate, "whole", balanced=False)
