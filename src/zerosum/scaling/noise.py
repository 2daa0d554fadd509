"""The noise around a law: how large it is in the units of its objective, and how many independent points there are."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.special import stdtrit

from zerosum.scaling.search import Minimum

FEWEST_RUNS = 8  # below, the scatter of runs may be small by luck: the losses' own errors bound it from below
NEAR = 0.3  # quantile of |residual| within which the density at 0 is counted
SMALLEST = 1e-12


@dataclass(frozen=True)
class Noise:
    """residual: [n] of the objective. n_effective: independent points that would know as much as the n correlated ones.

    covariance: [p p] of theta were all points independent, times n / n_effective. t: quantile of
    Student's t for a 95 % interval. threshold: rise of the objective at the ends of a 95 % profile interval.
    """

    residual: Float[np.ndarray, " n"]
    n_effective: float
    covariance: Float[np.ndarray, "p p"]
    t: float
    threshold: float


def noise_of(best: Minimum, run: Int[np.ndarray, " n"], own_error: float = 0.0) -> Noise:
    """The noise around a fitted law. own_error: standard error of log loss that the losses state themselves.

    For a sum of rho(r), 2 (rise) mean(psi') / mean(psi^2) of a profile is F-distributed, psi = rho'. Residuals of a run
    are correlated: their sums over runs say by how much that raises the variance (at least 1), with degrees of freedom
    lost to the parameters. With fewer than 8 runs the noise is at least the losses' own.
    """
    goal = best.objective
    residual = goal.residual(best.theta[None])[0]
    n, p, G = len(residual), len(best.theta), int(run.max()) + 1
    psi = np.clip(residual, -goal.delta, goal.delta)
    sums = np.bincount(run, psi)
    total = float((psi**2).sum())
    raised = float((sums**2).sum()) / total * G / max(G - p, 1) if total > SMALLEST else 1.0
    n_effective = n / min(max(raised, 1.0), n / G)
    near = max(min(goal.delta, 1e300), float(np.quantile(np.abs(residual), NEAR)), SMALLEST)
    inside = float((np.abs(residual) <= near).mean())
    slope = inside * min(goal.delta / near, 1.0)
    variance = max(total / n, SMALLEST**2) * n / max(n - p, 1) * n / n_effective
    _, J, _ = goal.terms.derivatives(best.theta[None])
    jacobian = J[0] if goal.in_log else np.exp(goal.log_y[0])[:, None] * J[0]
    information = jacobian.T @ jacobian
    t = float(stdtrit(max(n_effective - p, 3.0), 0.975))
    own = own_error * (1.0 if goal.in_log else float(np.exp(goal.log_y[0]).mean()))
    per_point = max(variance / slope**2, own**2 if G < FEWEST_RUNS else 0.0)
    covariance = per_point * np.linalg.pinv(information, rcond=1e-14, hermitian=True)
    return Noise(residual, n_effective, covariance, t, 0.5 * per_point * slope * t**2)


def run_noise(
    residual_log: Float[np.ndarray, " n"], n_effective: float, p: int, seed_sd: float, seeds: float, own_error: float
) -> Float[np.ndarray, " m"]:
    """Log residuals that a single new run may have: those of the fit, widened for p parameters and averaged seeds.

    The parameters follow what checkpoints of a run share, so that they take their degrees of freedom from n_effective.
    own_error: of the losses themselves; the residuals are widened to it where they are smaller.
    """
    wide = residual_log * math.sqrt(n_effective / max(n_effective - p, 1.0))
    size = math.sqrt(float((wide**2).mean()))
    missing = seed_sd * math.sqrt(1 - 1 / seeds) if math.isfinite(seed_sd) and seeds > 1 else 0.0
    wanted = max(math.hypot(size, missing), own_error)
    if size <= SMALLEST:
        return np.array([-wanted, wanted])
    return np.asarray(wide * (wanted / size))
