"""The minimum of a law's objective from many starts, and how many of them reach it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.scaling.law import Law, variable
from zerosum.scaling.objective import Objective
from zerosum.scaling.table import LossTable

PER_AXIS = 7  # 343 starts of Chinchilla's law
SAME = 1e-6  # relative difference of the objective at which a start has reached the minimum
EXACT = 1e-10  # sum of squares below which data are without noise


@dataclass(frozen=True)
class Minimum:
    """The best of S searches.

    theta: [p]. value: of the objective. ends, values: of all searches, best first. centre: mean logs of the table's
    variables.
    """

    law: Law
    objective: Objective
    centre: Mapping[str, float]
    theta: Float[np.ndarray, " p"]
    value: float
    ends: Float[np.ndarray, "S p"]
    values: Float[np.ndarray, " S"]

    @property
    def at_minimum(self) -> Float[np.ndarray, "reached p"]:
        """End points within 1e-6 of the minimum."""
        return self.ends[self.values <= self.value * (1 + SAME) + EXACT * min(1.0, self.objective.delta)]


def search(
    table: LossTable, law: Law, *, delta: float | None = None, per_axis: int = PER_AXIS, order: int = 0
) -> Minimum:
    """Fit a law to a table. delta: of Huber's loss; None: the law's. per_axis: starts on each axis of their grid.

    order: seed by which the starts are shuffled; 0 keeps their order. The minimum does not depend on it.
    """
    named = {name: variable(table, name) for name in law.variables}
    centre = {name: float(np.log(values).mean()) for name, values in named.items()}
    logs = {name: np.log(values) - centre[name] for name, values in named.items()}
    log_y = np.log(table.loss)
    goal = Objective(
        law.terms(logs), log_y[None], np.ones((1, len(table))), law.delta if delta is None else delta, law.in_log
    )
    start = law.starts(logs, table.loss, per_axis)
    if order:
        np.random.default_rng(order).shuffle(start)
    low, high = law.ends(log_y)
    ends, values = goal.minimised(start, low, high)
    place = values.argsort(kind="stable")
    ends, values = ends[place], values[place]
    return Minimum(law, goal, centre, ends[0], float(values[0]), ends, values)
