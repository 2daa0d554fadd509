"""Kaplan's law of size and data: L(N, D) = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D.

Source: Kaplan et al. 2020 (arXiv 2001.08361), equation 1.5. N without embeddings there. It has no floor E.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from zerosum.scaling.law import Law, Logs, Vector, amounts, exponent_grid
from zerosum.scaling.power_terms import PowerTerms


def terms(logs: Logs) -> PowerTerms:
    """theta = (log of the term of N, log of the term of D, alpha_N / alpha_D, alpha_D), terms at the centres."""
    x, d = logs["N"], logs["D"]
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = ((one, none, -x, none), (none, one, none, none))
    offset = np.stack([none, -d])
    return PowerTerms(np.array([np.stack(row, axis=-1) for row in rows]), offset, power=3)


def starts(logs: Logs, loss: Vector, per_axis: int) -> Float[np.ndarray, "S p"]:
    """Every combination of both exponents on a grid, with the best factors for it."""
    ratio, alpha_D = exponent_grid(2 * per_axis, 2, high=2.0).T
    sums = loss ** (1 / alpha_D[:, None])
    columns = np.exp(-np.stack([ratio[:, None] * logs["N"], np.tile(logs["D"], (len(ratio), 1))], axis=-1))
    scale = sums.mean(axis=1, keepdims=True)  # the sums differ by many powers of ten
    factors = amounts(columns * (scale / sums)[:, :, None], np.ones_like(sums) * scale, np.ones_like(loss))
    return np.column_stack([factors, ratio, alpha_D])


def published(theta: Float[np.ndarray, "M p"], centre: Mapping[str, float]) -> dict[str, np.ndarray]:
    """N_c (parameters), D_c (tokens), alpha_N, alpha_D."""
    u, v, ratio, alpha_D = theta.T
    with np.errstate(over="ignore"):  # a flat law has no N_c
        N_c, D_c = np.exp(u / ratio + centre["N"]), np.exp(v + centre["D"])
    return {"N_c": N_c, "D_c": D_c, "alpha_N": ratio * alpha_D, "alpha_D": alpha_D}


LAW = Law(
    name="kaplan-tokens",
    form="L(N, D) = ((N_c / N)^(alpha_N / alpha_D) + D_c / D)^alpha_D",
    variables=("N", "D"),
    names=("log_N_term", "log_D_term", "ratio", "alpha_D"),
    exponents=("ratio", "alpha_D"),
    terms=terms,
    starts=starts,
    published=published,
    source="Kaplan et al. 2020, equation 1.5",
    exponent_ends=(1e-3, 20.0),
)
