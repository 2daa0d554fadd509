"""Errors of two fits together. Curves of one suite deviate from the law alike, and what they share cancels.

Letters: n points, k functionals.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.fit_errors import FitErrors
from zerosum.deceleration.residual_model import Spread, residual_model

SAME_POINT = 0.025  # log steps: half a log bin
FEWEST = 15  # points that both have

Functionals = Float[np.ndarray, "k q"]


def spread_of_both(of_a: Functionals, a: FitErrors, of_b: Functionals, b: FitErrors) -> Spread:
    """Distribution of of_a @ (errors of a) + of_b @ (errors of b), for fits over the same range.

    The misfits are (their mean) -+ (half their difference), two independent processes, each modelled from the mean and
    the difference of the residuals at the points that both have.
    """
    in_b = np.abs(b.x - a.x[:, None]).argmin(axis=1)
    in_a = np.flatnonzero(np.abs(b.x[in_b] - a.x) < SAME_POINT)
    in_b = in_b[in_a]
    if len(in_a) < FEWEST:
        return a.spread(of_a).plus(b.spread(of_b))
    x, design = a.x[in_a], a.design[in_a]
    noise_a, noise_b = a.noises[-1][np.ix_(in_a, in_a)], b.noises[-1][np.ix_(in_b, in_b)]
    both = noise_a + noise_b
    mean = residual_model(x, (a.residual[in_a] + b.residual[in_b]) / 2, design, (both / 4,))
    apart = residual_model(x, b.residual[in_b] - a.residual[in_a], design, (both,))
    from_a, from_b = of_a @ a.estimator, of_b @ b.estimator
    noise = sum(((h @ e.noises[-1]) * h).sum(axis=1) for h, e in ((from_a, a), (from_b, b)))
    parts = []
    for model, sign in ((mean, 1.0), (apart, -1.0)):
        modes = sign * from_a @ model.misfit.modes(a.x) + from_b @ model.misfit.modes(b.x)
        scale = 1.0 if sign > 0 else 0.25
        parts.append(Spread(model.weight.ravel(), scale * modes**2 @ model.misfit.power.T))
    return parts[0].plus(replace(parts[1], variance=parts[1].variance + np.asarray(noise)[:, None]))
