"""The law of over-trained models: L(N, M) = E + alpha N^b + beta 6^(b/2) (M N)^b, with M = D / N tokens per parameter.

Source: Gadre et al. 2024 (arXiv 2403.08540): both exponents are equal, so that loss against compute has the same slope
at every M. Least squares of the loss, from few small models.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from zerosum.scaling.law import Law, Logs, Vector, amounts, exponent_grid
from zerosum.scaling.power_terms import PowerTerms

FLOPS = 6  # C = 6 N D


def terms(logs: Logs) -> PowerTerms:
    """theta = (log of the term of N, log of the term of D, log E, -b), both at the centres."""
    x, d = logs["N"], logs["D"]
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = ((one, none, none, -x), (none, one, none, -d), (none, none, one, none))
    return PowerTerms(np.array([np.stack(row, axis=-1) for row in rows]), np.zeros((3, len(x))))


def starts(logs: Logs, loss: Vector, per_axis: int) -> Float[np.ndarray, "S p"]:
    """Every combination of the exponent and E on a grid, with the best factors for it."""
    exponent = np.repeat(exponent_grid(2 * per_axis, 1)[:, 0], 2 * per_axis)
    E = np.tile(loss.min() * np.linspace(0.02, 0.98, 2 * per_axis), 2 * per_axis)
    columns = np.exp(-exponent[:, None, None] * np.stack([logs["N"], logs["D"]], axis=-1))
    return np.column_stack([amounts(columns, loss - E[:, None], loss), np.log(E), exponent])


def published(theta: Float[np.ndarray, "M p"], centre: Mapping[str, float]) -> dict[str, np.ndarray]:
    """alpha, beta, E (nats) and b (below 0)."""
    a, d, e, exponent = theta.T
    alpha = np.exp(a + exponent * centre["N"])
    beta = np.exp(d + exponent * centre["D"]) * FLOPS ** (exponent / 2)
    return {"alpha": alpha, "beta": beta, "E": np.exp(e), "b": -exponent}


LAW = Law(
    name="over-training",
    form="L(N, M) = E + alpha N^b + beta 6^(b/2) (M N)^b, M = D / N",
    variables=("N", "D"),
    names=("log_alpha", "log_beta", "log_E", "exponent"),
    exponents=("exponent",),
    terms=terms,
    starts=starts,
    published=published,
    source="Gadre et al. 2024",
    delta=np.inf,
    in_log=False,
)
