"""Chinchilla's law by approach 3: L(N, D) = E + A / N^alpha + B / D^beta.

Source: Hoffmann et al. 2022 (arXiv 2203.15556), section 3.3 and appendix D.3: the minimum of the sum of Huber(1e-3) of
log-loss residuals over (log A, log B, log E, alpha, beta). The mean in place of the sum stops optimizers early
(Besiroglu et al. 2024, arXiv 2404.10102).
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from zerosum.scaling.law import Law, Logs, Vector, amounts, exponent_grid
from zerosum.scaling.power_terms import PowerTerms


def terms(logs: Logs) -> PowerTerms:
    """theta = (log A, log B, log E, alpha, beta), with A and B at the centres."""
    x, d = logs["N"], logs["D"]
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = ((one, none, none, -x, none), (none, one, none, none, -d), (none, none, one, none, none))
    return PowerTerms(np.array([np.stack(row, axis=-1) for row in rows]), np.zeros((3, len(x))))


def starts(logs: Logs, loss: Vector, per_axis: int) -> Float[np.ndarray, "S p"]:
    """Every combination of alpha, beta and E on a grid, with the best A and B for it."""
    exponents = exponent_grid(per_axis, 2)
    floors = loss.min() * np.linspace(0.02, 0.98, per_axis)
    alpha, beta = np.repeat(exponents, per_axis, axis=0).T
    E = np.tile(floors, len(exponents))
    columns = np.exp(np.stack([-alpha[:, None] * logs["N"], -beta[:, None] * logs["D"]], axis=-1))
    A_B = amounts(columns, loss - E[:, None], loss)
    return np.column_stack([A_B, np.log(E), alpha, beta])


def published(theta: Float[np.ndarray, "M p"], centre: Mapping[str, float]) -> dict[str, np.ndarray]:
    """A, B, E (nats), alpha, beta."""
    a, b, e, alpha, beta = theta.T
    A, B = np.exp(a + alpha * centre["N"]), np.exp(b + beta * centre["D"])
    return {"A": A, "B": B, "E": np.exp(e), "alpha": alpha, "beta": beta}


LAW = Law(
    name="chinchilla",
    form="L(N, D) = E + A / N^alpha + B / D^beta",
    variables=("N", "D"),
    names=("log_A", "log_B", "log_E", "alpha", "beta"),
    exponents=("alpha", "beta"),
    terms=terms,
    starts=starts,
    published=published,
    source="Hoffmann et al. 2022, approach 3",
)
