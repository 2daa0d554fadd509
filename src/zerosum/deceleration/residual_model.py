"""What the residuals of a fit are made of: noise, which averages out, and misfit, which does not.

Misfit is a Gaussian process in log step with covariance tau^2 exp(-(x - x')^2 / (2 l^2)). Its size tau and length l are
not known: every pair of a grid is a hypothesis, weighted by its prior and by its REML likelihood.
Letters: n points, q parameters of the fit, k columns, p modes of the process, G hypotheses.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_triangular
from scipy.special import ndtr, ndtri

LENGTHS = np.geomspace(0.25, 1.6, 5)  # log steps
SIZES, RANGE = 9, 150.0  # sizes tau above 0, and the largest over the smallest
LARGEST, OF_RESIDUAL = 0.03, 4.0  # the largest is at least so large, and so many times the root mean square residual
NO_MISFIT = 0.7  # prior odds of no misfit at all
TYPICAL_SIZE, SIZE_SPREAD = 0.008, 0.6  # prior of misfit: log-normal, spread of the log
TYPICAL_LENGTH, LENGTH_SPREAD = 0.8, 0.6
LEAST_NOISE = 1e-6  # of log loss: losses are logged with six or seven digits
TINY, ALIKE = 1e-300, 1e-10
MARGIN, REACH = 1.25, 2.8  # of the modes: lengths beyond the points; frequency times least length up to which they go


@dataclass(frozen=True)
class Misfit:
    """Hypotheses about a misfit. log_prior: [G]. power: [G p] variance of the weight of each mode. modes: [n p]."""

    log_prior: Float[np.ndarray, " G"]
    power: Float[np.ndarray, "G p"]
    modes: Float[np.ndarray, "n p"]


def misfit_hypotheses(x: Float[np.ndarray, " n"], residual: Float[np.ndarray, " n"]) -> Misfit:
    """The grid for points at log steps x, in any order, with these residuals; the first hypothesis is no misfit.

    The modes are sines that vanish `half` away from the centre of the points. Source: Solin and Sarkka 2020, Hilbert
    space methods for reduced-rank Gaussian process regression.
    """
    rms = float(np.sqrt(np.mean(residual**2)))
    largest = max(LARGEST, OF_RESIDUAL * rms)
    sizes = np.geomspace(largest / RANGE, largest, SIZES)
    by_size = np.exp(-0.5 * (np.log(sizes / TYPICAL_SIZE) / SIZE_SPREAD) ** 2)
    by_size *= np.log(sizes[1] / sizes[0]) / SIZE_SPREAD / np.sqrt(2 * np.pi)
    by_length = np.exp(-0.5 * (np.log(LENGTHS / TYPICAL_LENGTH) / LENGTH_SPREAD) ** 2)
    prior = by_size[:, None] * (by_length / by_length.sum())
    half = float(np.ptp(x)) / 2 + MARGIN * LENGTHS[-1]
    frequency = np.pi / (2 * half) * np.arange(1, int(np.ceil(REACH * 2 * half / (np.pi * LENGTHS[0]))) + 1)
    by_mode = np.sqrt(2 * np.pi) * LENGTHS[:, None] * np.exp(-0.5 * (LENGTHS[:, None] * frequency) ** 2)
    power = (sizes[:, None, None] ** 2 * by_mode).reshape(-1, len(frequency))
    return Misfit(
        np.log(np.append(NO_MISFIT, prior) + TINY),
        np.concatenate([np.zeros((1, len(frequency))), power]),
        np.sin(frequency * (x[:, None] - float(x.min() + x.max()) / 2 + half)) / np.sqrt(half),
    )


def whitened_products(
    misfit: Misfit, noise: Float[np.ndarray, "n n"], columns: Float[np.ndarray, "n k"]
) -> tuple[Float[np.ndarray, "G k k"], Float[np.ndarray, " G"]]:
    """V' S^-1 V of columns V, and log det S, under each hypothesis; S is the covariance of noise and misfit together.

    By one Cholesky factor for each hypothesis, of [[I + Z'Z, Z'V], [V'Z, V'V]] with Z (modes times the roots of their
    variances) and V whitened by the noise: its first p rows give the determinant, its last k factor V' S^-1 V.
    """
    p, k = misfit.power.shape[1], columns.shape[1]
    root = np.linalg.cholesky(noise + LEAST_NOISE**2 * np.eye(len(noise)))
    white = solve_triangular(root, np.column_stack([misfit.modes, columns]), lower=True, check_finite=False)
    scale = np.concatenate([np.sqrt(misfit.power), np.ones((len(misfit.power), k))], axis=1)
    whole = (white.T @ white) * scale[:, :, None]
    whole *= scale[:, None, :]
    whole[:, range(p), range(p)] += 1.0
    of_columns = range(p, p + k)
    whole[:, of_columns, of_columns] += ALIKE * whole[:, of_columns, of_columns] + ALIKE  # columns may coincide
    factor = np.linalg.cholesky(whole)
    last = factor[:, p:, p:]
    log_det = 2 * np.log(np.diagonal(factor, axis1=1, axis2=2)[:, :p]).sum(axis=1)
    return last @ last.transpose(0, 2, 1), log_det + 2 * float(np.log(np.diagonal(root)).sum())


def log_sum_exp(values: Float[np.ndarray, "..."]) -> float:
    """Log of the sum of exponentials of finite values; SciPy's takes a fortieth of a whole fit."""
    largest = values.max()
    return float(largest + np.log(np.exp(values - largest).sum()))


def log_likelihood(
    products: Float[np.ndarray, "G k k"], log_det: Float[np.ndarray, " G"], *, restricted: bool
) -> Float[np.ndarray, " G"]:
    """Log likelihood of the last column, given the others as its design; up to a constant.

    restricted: REML, the coefficients of the design integrated out; else at their maximum.
    """
    root = np.diagonal(np.linalg.cholesky(products), axis1=1, axis2=2)
    spent = np.log(root[:, :-1]).sum(axis=1) if restricted else 0.0
    return np.asarray(-log_det / 2 - spent - root[:, -1] ** 2 / 2)


@dataclass(frozen=True)
class Spread:
    """Mixture of G normal distributions around zero, of k quantities. weight: [G]. variance: [k G]."""

    weight: Float[np.ndarray, " G"]
    variance: Float[np.ndarray, "k G"]

    def half_widths(self, level: float) -> Float[np.ndarray, " k"]:
        """Half the width of the interval around zero with probability `level`."""
        sd = np.sqrt(self.variance)
        normal = float(ndtri((1 + level) / 2))
        low, high = normal * sd.min(axis=1), normal * sd.max(axis=1)
        for _ in range(24):
            middle = (low + high) / 2
            inside = ndtr(middle[:, None] / np.maximum(sd, TINY)) @ self.weight < (1 + level) / 2
            low, high = np.where(inside, middle, low), np.where(inside, high, middle)
        return np.asarray((low + high) / 2)

    def plus(self, other: "Spread") -> "Spread":
        """Of the sum with an independent error."""
        weight = np.outer(self.weight, other.weight).ravel()
        variance = self.variance[:, :, None] + other.variance[:, None, :]
        return Spread(weight, variance.reshape(len(variance), -1))

    def mixed_with(self, other: "Spread", share: float) -> "Spread":
        """Of an error that comes from the other distribution with probability `share`, else from this one."""
        weight = np.append((1 - share) * self.weight, share * other.weight)
        return Spread(weight, np.append(self.variance, other.variance, axis=1))


@dataclass(frozen=True)
class ResidualModel:
    """Of a fit: the hypotheses, and what they make of its residuals under each candidate for the noise (c of them).

    products, log_det: of the q columns of its design, the residual, and others; see `whitened_products`.
    """

    misfit: Misfit
    q: int
    products: Float[np.ndarray, "c G k k"]
    log_det: Float[np.ndarray, "c G"]

    @cached_property
    def weight(self) -> Float[np.ndarray, "c G"]:
        """How likely each hypothesis is: prior times restricted likelihood, adding up to 1."""
        evidence = self.evidence()
        return np.asarray(np.exp(evidence - log_sum_exp(evidence)))

    @property
    def total_evidence(self) -> float:
        """Log likelihood of the residuals, averaged over the priors of misfit and noise; up to a constant."""
        return log_sum_exp(self.evidence()) - log_sum_exp(self.misfit.log_prior) - float(np.log(len(self.products)))

    def evidence(self, columns: Float[np.ndarray, "j k"] | None = None) -> Float[np.ndarray, "c G"]:
        """Log of prior times likelihood. columns: other columns, as combinations of those of the products.

        The last one is the residual of the others. Without `columns` the likelihood is that of the fit, restricted
        (REML); with them it is the largest over their coefficients.
        """
        own = slice(0, self.q + 1)
        products = self.products[..., own, own] if columns is None else columns @ self.products @ columns.T
        pairs = zip(products, self.log_det, strict=True)
        likelihood = np.array([log_likelihood(p, d, restricted=columns is None) for p, d in pairs])
        return np.asarray(likelihood + self.misfit.log_prior)


def residual_model(
    misfit: Misfit,
    residual: Float[np.ndarray, " n"],
    design: Float[np.ndarray, "n q"],
    noises: tuple[Float[np.ndarray, "n n"], ...],
    beside: Float[np.ndarray, "n j"] | None = None,
) -> ResidualModel:
    """The model of the residuals of a fit with this design. noises: covariances that the noise may have.

    beside: columns for the likelihoods of other designs.
    """
    columns = np.column_stack([design, residual] if beside is None else [design, residual, beside])
    parts = [whitened_products(misfit, noise, columns) for noise in noises]
    return ResidualModel(misfit, design.shape[1], np.stack([p for p, _ in parts]), np.stack([d for _, d in parts]))
