"""A law with fitted parameters: its losses, predictions with intervals, and the best sizes for budgets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.scaling.laws import law
from zerosum.scaling.optimum import FLOPS, best_sizes, require_budget
from zerosum.scaling.reason import Reason
from zerosum.scaling.table import LossTable

FAR = 10.0  # times beyond the fitted sizes, tokens or steps: said
LEVEL = 0.95


@dataclass(frozen=True)
class Prediction:
    """The loss of a run that is not in the table. at: value of N, D or S. reasons: how far it is from the data."""

    at: Mapping[str, float]
    loss: Estimate
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Optimal:
    """The size and tokens of the lowest loss by a law for a budget of training FLOPs, C = 6 N D."""

    law: str
    flops: float
    n_params: Estimate
    tokens: Estimate
    loss: Estimate
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        estimates = {name: getattr(self, name).to_json() for name in ("n_params", "tokens", "loss")}
        return {"law": self.law, "flops": self.flops, **estimates, "reasons": [vars(reason) for reason in self.reasons]}


@dataclass(frozen=True, repr=False)
class FittedLaw:
    """A law and its parameters.

    n_runs, method: of the intervals. theta: [p] the minimum in the search's own parameters; drawn: [R p] the same of
    resampled tables; noise: [n] log residuals that a new run may have.
    """

    law: str
    table_fitted: LossTable
    n_runs: int
    method: str
    centre: Mapping[str, float]
    theta: Float[np.ndarray, " p"]
    drawn: Float[np.ndarray, "R p"]
    noise: Float[np.ndarray, " n"]

    def fitted(self) -> Float[np.ndarray, " n"]:
        """Loss by the law at each row of the table, nats per token."""
        table = self.table_fitted
        return self.losses(N=table.N, D=table.D, S=table.step)

    def losses(self, **at: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Loss by the law at points given by their N, D or S (steps), nats per token."""
        return np.asarray(self._losses(self.theta[None], at)[0])

    @property
    def length(self) -> str:
        """Beside N, the variable of the law: D, or S (steps)."""
        return law(self.law).variables[1]

    def predict(self, N: float, D: float | None = None, *, steps: float | None = None) -> Prediction:
        """The loss of one new run with N parameters after D tokens (or so many steps), with a prediction interval.

        The interval has the uncertainty of the law and the noise of a single run in it. Raises InputError where a
        variable of the law is missing.
        """
        given = {"N": N, "D": D, "S": steps}
        at = {name: float(given[name] or math.nan) for name in law(self.law).variables}
        for name, value in at.items():
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{self.law}: {name} is {given[name]}, no number above 0. Give {self._call()}.")
        return self.predictions({name: np.array([value]) for name, value in at.items()})[0]

    def predictions(self, at: Mapping[str, Float[np.ndarray, " n"]]) -> list[Prediction]:
        """The same for n runs, given by the variables of the law."""
        values, draws = self._losses(self.theta[None], at)[0], self._losses(self.drawn, at)
        of_runs = np.exp(np.random.default_rng(0).choice(self.noise, (20, len(draws))))
        found = []
        for k, value in enumerate(values.tolist()):
            place = {name: float(array[k]) for name, array in at.items()}
            estimate = self._estimate(value, (draws[:, k] * of_runs).ravel(), "nats per token")
            found.append(Prediction(place, estimate, self._far(place)))
        return found

    def optimal(self, flops: float) -> Optimal:
        """The best N and D for a budget of training FLOPs, C = 6 N D, and the loss of the law there.

        Raises InputError for laws without D and budgets that are not above 0.
        """
        if law(self.law).variables != ("N", "D"):
            raise InputError(f"{self.law}: has no D, so that a budget cannot be split. Use a law of N and D.")
        require_budget(flops)
        every = np.concatenate([self.theta[None], self.drawn])
        budgets = np.full(len(every), flops)
        N = np.exp(best_sizes(budgets, lambda N, D: np.log(self._losses(every, {"N": N, "D": D}, paired=True))))
        D = flops / FLOPS / N
        loss = self._losses(every, {"N": N, "D": D}, paired=True)
        return Optimal(
            self.law,
            flops,
            n_params=self._estimate(float(N[0]), N[1:], ""),
            tokens=self._estimate(float(D[0]), D[1:], "tokens"),
            loss=self._estimate(float(loss[0]), loss[1:], "nats per token"),
            reasons=self._far({"N": float(N[0]), "D": float(D[0])}),
        )

    def frontier(self, flops: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The lowest loss by the law for each budget, at its best size. NaN where the law has none."""
        N = np.exp(best_sizes(flops, lambda N, D: np.log(self.losses(N=N, D=D))))
        return self.losses(N=N, D=flops / FLOPS / N)

    def _call(self) -> str:
        return "N and steps" if "S" in law(self.law).variables else "N and D"

    def _estimate(self, value: float, draws: Float[np.ndarray, " R"], unit: str) -> Estimate:
        finite = draws[np.isfinite(draws)]
        if not math.isfinite(value) or len(finite) < 0.9 * len(draws):
            return Estimate(value, reason="the law has no such number at many resampled tables", unit=unit)
        low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(value, (float(low), float(high)), N=self.n_runs, of="runs", unit=unit, method=self.method)

    def _losses(
        self, theta: Float[np.ndarray, "M p"], at: Mapping[str, np.ndarray], paired: bool = False
    ) -> np.ndarray:
        """[M n] losses; paired: [M], one point for each theta."""
        own = law(self.law)
        logs = {name: np.log(at[name]) - self.centre[name] for name in own.variables}
        terms = own.terms(logs)
        return np.asarray(np.exp(terms.paired(theta) if paired else terms.value(theta)))

    def _far(self, at: Mapping[str, float]) -> tuple[Reason, ...]:
        table = self.table_fitted
        seen = {"N": table.N, "D": table.D, "S": table.step}
        words = {"N": "parameters", "D": "tokens", "S": "steps"}
        ratios = {name: max(value / seen[name].max(), seen[name].min() / value) for name, value in at.items()}
        return tuple(
            Reason(
                "far-extrapolation",
                "note",
                f"{at[name]:.3g} {words[name]} are {ratio:.3g} times beyond the fitted ones: the interval holds only "
                "if the law does, which these data cannot show",
            )
            for name, ratio in ratios.items()
            if ratio > FAR
        )
