"""Kaplan's law of size and steps: L(N, S) = (N_c / N)^alpha_N + (S_c / S)^alpha_S.

Source: Kaplan et al. 2020 (arXiv 2001.08361), equation 1.6. S there is S_min, the steps at a batch far above the
critical one; here it is the column step, so that runs need one batch size. It has no floor E.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from zerosum.scaling.law import Law, Logs, Vector, amounts, exponent_grid
from zerosum.scaling.power_terms import PowerTerms


def terms(logs: Logs) -> PowerTerms:
    """theta = (log of the term of N, log of the term of S, alpha_N, alpha_S), terms at the centres."""
    x, s = logs["N"], logs["S"]
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = ((one, none, -x, none), (none, one, none, -s))
    return PowerTerms(np.array([np.stack(row, axis=-1) for row in rows]), np.zeros((2, len(x))))


def starts(logs: Logs, loss: Vector, per_axis: int) -> Float[np.ndarray, "S p"]:
    """Every combination of both exponents on a grid, with the best factors for it."""
    exponents = exponent_grid(2 * per_axis, 2, low=0.02)
    columns = np.exp(-exponents[:, None, :] * np.stack([logs["N"], logs["S"]], axis=-1))
    return np.column_stack([amounts(columns, np.tile(loss, (len(exponents), 1)), loss), exponents])


def published(theta: Float[np.ndarray, "M p"], centre: Mapping[str, float]) -> dict[str, np.ndarray]:
    """N_c (parameters), S_c (steps), alpha_N, alpha_S."""
    u, v, alpha_N, alpha_S = theta.T
    with np.errstate(over="ignore"):  # a flat law has no N_c
        N_c, S_c = np.exp(u / alpha_N + centre["N"]), np.exp(v / alpha_S + centre["S"])
    return {"N_c": N_c, "S_c": S_c, "alpha_N": alpha_N, "alpha_S": alpha_S}


LAW = Law(
    name="kaplan-steps",
    form="L(N, S) = (N_c / N)^alpha_N + (S_c / S)^alpha_S",
    variables=("N", "S"),
    names=("log_N_term", "log_S_term", "alpha_N", "alpha_S"),
    exponents=("alpha_N", "alpha_S"),
    terms=terms,
    starts=starts,
    published=published,
    source="Kaplan et al. 2020, equation 1.6",
)
