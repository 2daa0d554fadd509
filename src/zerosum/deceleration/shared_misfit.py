"""Errors of two fits together. Curves of one suite deviate from the law alike, and what they share cancels.

How much of their misfit two curves share is not known: nothing is one hypothesis, and every value of SHARES is another.
Sharing is unlikely beforehand, so that it counts where the residuals show it. Otherwise a misfit as slow as the bend,
which residuals hide, would be taken for a difference of the two runs.
Letters: k functionals, q parameters of a fit.
"""

from itertools import product

import numpy as np
from jaxtyping import Float
from scipy.linalg import block_diag
from scipy.special import expit

from zerosum.deceleration.fit_errors import FitErrors
from zerosum.deceleration.residual_model import Misfit, Spread, misfit_hypotheses

SHARES = (0.5, 0.9, 1.0)  # correlation of two misfits at equal steps
ANY_SHARED = 0.1  # prior probability that it is not 0; see tests/long/check_comparison.py

Functionals = Float[np.ndarray, "k q"]


def spread_of_both(of_a: Functionals, a: FitErrors, of_b: Functionals, b: FitErrors, shift: float = 0.0) -> Spread:
    """Distribution of of_a @ (errors of a) + of_b @ (errors of b).

    Misfits that share nothing have a size and a length each, as in the fits alone; misfits that share something have
    the same. The residuals of both curves tell how likely either is. shift: added to the log steps of b, so that
    equal values mean equal training.
    """
    both = errors_of_both(a, b, shift)
    apart = a.spread(of_a).plus(b.spread(of_b))
    more = both.model.total_evidence - a.model.total_evidence - b.model.total_evidence
    shared = float(expit(more + np.log(ANY_SHARED / (1 - ANY_SHARED))))
    return apart.mixed_with(both.spread(np.hstack([of_a, of_b])), shared)


def errors_of_both(a: FitErrors, b: FitErrors, shift: float = 0.0) -> FitErrors:
    """The points of two fits, one after the other, with misfits of one size and length that share something."""
    x, residual = np.append(a.x, b.x + shift), np.append(a.residual, b.residual)
    noises = tuple(block_diag(of_a, of_b) for of_a, of_b in product(a.noises, b.noises))
    return FitErrors(
        x,
        residual,
        block_diag(a.design, b.design),
        np.append(a.weight, b.weight),
        noises,
        misfit=partly_shared(misfit_hypotheses(x, residual), len(a.x)),
    )


def partly_shared(misfit: Misfit, n_a: int) -> Misfit:
    """Of misfits at the first n_a points and at the others, for every value of SHARES; no misfit is no sharing.

    The two are (their mean) -+ (half their difference), which are independent: of a process with variance 1 the mean
    has the variance (1 + share) / 2, and half the difference (1 - share) / 2.
    """
    sign = np.where(np.arange(len(misfit.modes)) < n_a, -1.0, 1.0)
    modes = np.hstack([misfit.modes, sign[:, None] * misfit.modes])
    some = misfit.power[1:]
    power = [np.hstack([(1 + share) / 2 * some, (1 - share) / 2 * some]) for share in SHARES]
    return Misfit(np.tile(misfit.log_prior[1:], len(SHARES)), np.concatenate(power), modes)
