"""Errors of the fits of several sizes together: the misfit of a law is alike in models of neighbouring sizes.

Misfit is a Gaussian process over log size and log step. Its covariance is R(N, N') tau^2 exp(-(x - x')^2 / (2 l^2)); R,
tau and l are not known: each combination of a grid is a hypothesis, weighted by its prior and its restricted likelihood
(REML, the coefficients of every fit integrated out). Noise of the rows is independent between runs.
Letters: r runs, n points of a run, p modes of the misfit, q parameters of a fit, G hypotheses about tau and l.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from zerosum.deceleration.fit_errors import FitErrors
from zerosum.deceleration.intervals import OF_PARAMETERS
from zerosum.deceleration.residual_model import LEAST_NOISE, Misfit, misfit_hypotheses

# Shape and length (in log N) of the correlation between sizes, and the share of the misfit that each run has alone.
SMOOTH, ROUGH = 2.0, 1.0  # exponent of the distance
LENGTHS = {SMOOTH: (1.0, 2.0, 4.0, 8.0), ROUGH: (2.0, 6.0, 20.0)}
OWN = (0.01, 0.05, 0.25)
INDEPENDENT = (SMOOTH, 1.0, 1.0)
FIRST = (SMOOTH, 2.0, 0.05)
WORTH = 6.0  # log evidence below the best at which a hypothesis about tau and l is left out
NEGLIGIBLE = 1e-3  # standard deviation of a mode, relative to the largest

Between = tuple[float, float, float]


@dataclass(frozen=True)
class SharedErrors:
    """covariance: [r 3 r 3] of log L_d, log t_d and r_d of the fits. correlation: [r r] of the misfits of two runs."""

    covariance: Float[np.ndarray, "r 3 r 3"]
    correlation: Float[np.ndarray, "r r"]


@dataclass(frozen=True)
class _Run:
    """What one run says about its misfit, its own fit projected out.

    information: [p p], score: [p] of the weights of the modes. on_numbers: [3 p] what each mode adds to log L_d,
    log t_d, r_d. noise: [3 3] what noise alone makes of their covariance.
    """

    information: Float[np.ndarray, "p p"]
    score: Float[np.ndarray, " p"]
    on_numbers: Float[np.ndarray, "3 p"]
    noise: Float[np.ndarray, "3 3"]


def shared_errors(
    errors: Sequence[FitErrors], log_N: Float[np.ndarray, " r"], shift: Float[np.ndarray, " r"]
) -> SharedErrors:
    """Errors of the fits of r runs. shift: log of what a step counts for, added to the log steps of each run."""
    x = np.concatenate([e.x + by for e, by in zip(errors, shift.tolist(), strict=True)])
    misfit = misfit_hypotheses(x, np.concatenate([e.residual for e in errors]))
    ends = np.cumsum([len(e.x) for e in errors])[:-1]
    runs = [_of_run(e, modes) for e, modes in zip(errors, np.split(misfit.modes, ends), strict=True)]
    first = _evidence(runs, between(log_N, FIRST), misfit)
    worth = first > first.max() - WORTH
    misfit = replace(misfit, log_prior=misfit.log_prior[worth], power=misfit.power[worth])
    kinds = [INDEPENDENT, *((s, length, own) for s, lengths in LENGTHS.items() for length in lengths for own in OWN)]
    R = np.stack([between(log_N, kind) for kind in kinds])
    evidence = np.stack([_evidence(runs, own, misfit) for own in R])
    evidence[0] += np.log(len(kinds) - 1)  # half of the prior is that sizes share nothing
    weight = np.exp(evidence - logsumexp(evidence))
    on = np.stack([run.on_numbers for run in runs])
    covariance = np.einsum("kij,kg,gp,iap,jbp->iajb", R, weight, misfit.power, on, on, optimize=True)
    for k, run in enumerate(runs):
        covariance[k, :, k] += run.noise
    return SharedErrors(covariance, np.einsum("k,kij->ij", weight.sum(axis=1), R))


def between(log_N: Float[np.ndarray, " r"], kind: Between) -> Float[np.ndarray, "r r"]:
    """Correlation of the misfits of two runs: 1 - own at the same size, falling with their distance in log N.

    >>> np.round(between(np.array([0.0, 0.0, 2.0]), (2.0, 2.0, 0.1)), 2).tolist()
    [[1.0, 0.9, 0.55], [0.9, 1.0, 0.55], [0.55, 0.55, 1.0]]
    """
    shape, length, own = kind
    apart = np.abs(log_N[:, None] - log_N) / length
    return np.asarray((1 - own) * np.exp(-(apart**shape) / shape) + own * np.eye(len(log_N)))


def _of_run(errors: FitErrors, modes: Float[np.ndarray, "n p"]) -> _Run:
    noise = errors.noises[-1]
    root = np.linalg.cholesky(noise + LEAST_NOISE**2 * np.eye(len(noise)))
    p, q = modes.shape[1], errors.design.shape[1]
    white = np.linalg.solve(root, np.column_stack([modes, errors.design, errors.residual]))
    basis, _ = np.linalg.qr(white[:, p : p + q])
    free = white - basis @ (basis.T @ white)
    of_residuals = OF_PARAMETERS @ errors.estimator
    return _Run(
        information=free[:, :p].T @ free[:, :p],
        score=free[:, :p].T @ free[:, -1],
        on_numbers=of_residuals @ modes,
        noise=of_residuals @ noise @ of_residuals.T,
    )


def _evidence(runs: Sequence[_Run], R: Float[np.ndarray, "r r"], misfit: Misfit) -> Float[np.ndarray, " G"]:
    """Log prior plus restricted log likelihood of each hypothesis, given the correlation R, up to a constant.

    With the weights of the modes written as (root of R) x (root of their variances) x independent standard normals.
    """
    r, p = len(runs), misfit.power.shape[1]
    root = np.linalg.cholesky(R + 1e-10 * np.eye(r))
    information = np.stack([run.information for run in runs])
    whole = np.einsum("iu,iv,iab->uavb", root, root, information, optimize=True).reshape(r * p, r * p)
    score = np.einsum("iu,ia->ua", root, np.stack([run.score for run in runs])).ravel()
    likelihood = [_log_likelihood(whole, score, np.tile(np.sqrt(power), r)) for power in misfit.power]
    return np.asarray(np.array(likelihood) + misfit.log_prior)


def _log_likelihood(
    whole: Float[np.ndarray, "m m"], score: Float[np.ndarray, " m"], sd: Float[np.ndarray, " m"]
) -> float:
    large = sd > NEGLIGIBLE * sd.max(initial=0.0)
    sd = sd[large]
    precision = whole[np.ix_(large, large)] * sd[:, None] * sd + np.eye(len(sd))
    root = np.linalg.cholesky(precision)
    half = np.linalg.solve(root, score[large] * sd)
    return float(half @ half / 2 - np.log(np.diagonal(root)).sum())
