"""How far the numbers of a least-squares fit may be off: errors are linear in residuals, whose covariance is modelled.

Letters: n points, q parameters, k functionals of the parameters.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.binning import bin_means, bin_starts
from zerosum.deceleration.bnsl import BNSL, hinge
from zerosum.deceleration.points import Points
from zerosum.deceleration.reduced import hinge_and_slope
from zerosum.deceleration.residual_model import Misfit, ResidualModel, Spread, misfit_hypotheses, residual_model

METHOD = (
    "least squares with a model of the residuals: AR(1) noise from row to row, and a smooth misfit (Gaussian process "
    "in log step) averaged over its size and length by REML; t_d and L_d on log scale"
)
NARROWEST = 0.2  # log steps; see `one_break_design`

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class FitErrors:
    """x, residual: [n] log steps, and log losses minus the law. design: [n q] derivatives of the law.

    weight: [n] of the least squares. noises: covariances [n n] that the noise of the points may have.
    bend: [n] what the bend of a one-break law adds to its first line. misfit: what it may be; None: as of one curve.
    """

    x: Values
    residual: Values
    design: Float[np.ndarray, "n q"]
    weight: Values
    noises: tuple[Float[np.ndarray, "n n"], ...]
    bend: Values | None = None
    misfit: Misfit | None = None

    @cached_property
    def estimator(self) -> Float[np.ndarray, "q n"]:
        """Turns residuals into errors of the parameters."""
        weighted = self.design.T * self.weight
        return np.asarray(np.linalg.pinv(weighted @ self.design, hermitian=True) @ weighted)

    @cached_property
    def model(self) -> ResidualModel:
        """What the residuals are made of."""
        beside = None if self.bend is None else self.bend[:, None]
        misfit = misfit_hypotheses(self.x, self.residual) if self.misfit is None else self.misfit
        return residual_model(misfit, self.residual, self.design, self.noises, beside)

    def spread(self, functionals: Float[np.ndarray, "k q"]) -> Spread:
        """Distribution of the errors of linear functionals of the parameters."""
        of_residuals = functionals @ self.estimator
        misfit = self.model.misfit
        of_misfit = (of_residuals @ misfit.modes) ** 2 @ misfit.power.T
        of_noise = [((of_residuals @ noise) * of_residuals).sum(axis=1) for noise in self.noises]
        variance = np.concatenate([of_misfit + v[:, None] for v in of_noise], axis=1)
        return Spread(self.model.weight.ravel(), variance)


def one_break_design(x: Values, r_before: float, r_d: float, log_t_d: float, log_f: float) -> Float[np.ndarray, "n 5"]:
    """Derivatives of log loss by log L_d, r_before, r_d, log t_d and log f.

    A narrow bend is taken at a width of 0.2: its width is then an accident of few points, and at the fitted width an
    error of the width would seem to move nothing.
    """
    width = max(float(np.exp(log_f)), NARROWEST)
    away = x - log_t_d
    bend, slope = hinge_and_slope(x, np.array([log_t_d]), np.array([width]))
    change = r_d - r_before
    return np.stack(
        [np.ones_like(x), bend - away, -bend, r_before + change * slope, change * (away * slope - bend)], -1
    )


def rates_of(law: BNSL) -> tuple[float, float, float, float]:
    """What `one_break_design` needs of a law: r_before, r_d, log t_d, log f; NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return law.r_before, law.r_d, float(np.log(law.d1)), float(np.log(law.f1))


def errors_of_fit(points: Points, weight: Values, law: BNSL) -> FitErrors | None:
    """Errors of a one-break fit of points with these weights. None where there is no fit."""
    x, y = points.x[weight > 0], points.y[weight > 0]
    with np.errstate(over="ignore"):
        residual = y - law.log_loss(np.exp(x))
    if not (len(x) and np.isfinite(residual).all() and np.isfinite(rates_of(law)).all()):
        return None
    bend = -law.c1 * hinge(x, float(np.log(law.d1)), law.f1)
    return errors_of_points(points, weight, residual, one_break_design(x, *rates_of(law)), bend)


def errors_of_points(
    points: Points,
    weight: Values,
    residual: Float[np.ndarray, " k"],
    design: Float[np.ndarray, "k q"],
    bend: Float[np.ndarray, " k"] | None = None,
) -> FitErrors:
    """Errors of any least squares of the k points whose weight is not 0. Points of one log bin count as their mean."""
    used = weight > 0
    starts = bin_starts(np.unique(points.log_bin[used], return_inverse=True)[1])
    bins = np.flatnonzero(np.isin(np.unique(points.log_bin), points.log_bin[used]))
    noises = tuple(noise[np.ix_(bins, bins)] for noise in points.noises)
    x, residual, *derivatives = (bin_means(column, starts) for column in (points.x[used], residual, *design.T))
    weights = np.add.reduceat(weight[used], starts)
    bend = None if bend is None else bin_means(bend, starts)
    return FitErrors(x, residual, np.stack(derivatives, -1), weights, noises, bend)
