"""Whether a break is more than misfit: the one-break law against a power law, each with its misfit and noise."""

import numpy as np

from zerosum.deceleration.bnsl import BNSL
from zerosum.deceleration.fit_errors import FitErrors
from zerosum.deceleration.residual_model import log_sum_exp

NEEDED = 10.0  # evidence for a break; with LEAST_CHANGE at most 5 % of power laws show one, see deceleration_power.md
LEAST_CHANGE = 0.15  # of the larger rate; smaller changes of the rate are as common as the misfit of loss curves


def shows_break(evidence: float, law: BNSL) -> bool:
    """Whether there is more than misfit, and the rate changes by more than misfit changes it."""
    return evidence >= NEEDED and changes_enough(law)


def changes_enough(law: BNSL) -> bool:
    """Whether the rate changes by more than misfit alone often changes it."""
    return abs(law.c1) >= LEAST_CHANGE * max(abs(law.r_before), abs(law.r_d))


def break_evidence(errors: FitErrors | None, law: BNSL) -> float:
    """Twice the log ratio of likelihoods, one-break law over power law; the misfit of each is averaged over its prior.

    errors: of the one-break fit, see `one_break_design`; None gives NaN. Misfit may explain what a power law leaves, at
    the price of being large, so that the ratio is large only for a bend that misfit alone seldom makes.
    """
    if errors is None:
        return float("nan")
    # Columns of the products: by log L_d, r_before, r_d, log t_d, log f; residual; bend. The second and third add up to
    # the step; the power law leaves the residual and the bend.
    power_law = np.zeros((3, 7))
    power_law[0, 0] = power_law[1, [1, 2]] = power_law[2, [5, 6]] = 1.0
    broken = log_sum_exp(errors.model.evidence(np.eye(7)[:6]))
    return 2 * (broken - log_sum_exp(errors.model.evidence(power_law)))
