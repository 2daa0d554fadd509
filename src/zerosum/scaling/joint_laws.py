"""The three laws of a family together: their covariance, shares of the gain between two sizes, losses of other sizes.

Letters: k sizes, a and b of the three numbers log L_d, log t_d, r_d; each law has 2 coefficients in log N.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.decomposition import Line, split
from zerosum.estimate import Estimate
from zerosum.scaling.size_family import SizeFamily
from zerosum.scaling.size_laws import QUANTITIES, SizeLaw
from zerosum.scaling.weighted_line import student

NATS = "nats per token"
DRAWS = 4_000
SHARES = "draws from the joint distribution of the three laws (multivariate t)"
AHEAD = "errors of the three laws, and the scatter of the losses that the sizes reached around the laws"


@dataclass(frozen=True)
class Gain:
    """How the loss at one length differs between two sizes by the laws. log_T: the length, on the axis of t_d.

    total: nats, below 0 is better for the larger size; terms: "L_d", "t_d", "r_d", which add up to it; shares of it.
    """

    smaller: float
    larger: float
    T: float
    total: Estimate
    terms: Mapping[str, Estimate]
    shares: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "from": self.smaller,
            "to": self.larger,
            "T": self.T,
            "total": self.total.to_json(),
            "terms": [
                {"name": name, "nats": term.to_json(), "share": self.shares[name].to_json()}
                for name, term in self.terms.items()
            ],
        }


@dataclass(frozen=True)
class JointLaws:
    """coefficients: [3 2]; covariance: [3 2 3 2] of them, Knapp-Hartung. N0: of the laws. gap, gap_sd: mean and

    standard deviation over the sizes of log loss reached, less that of the asymptote by the laws.
    """

    coefficients: Float[np.ndarray, "3 2"]
    covariance: Float[np.ndarray, "3 2 3 2"]
    N0: float
    n_sizes: int
    gap: float
    gap_sd: float
    level: float

    def lines(self, N: float, log_T: float, coefficients: Float[np.ndarray, "... 3 2"] | None = None) -> Line:
        """The line after the break at a size, for each set of coefficients."""
        both = self.coefficients if coefficients is None else coefficients
        numbers = both @ np.array([1.0, math.log(N / self.N0)])
        return Line(numbers[..., 0], numbers[..., 1], numbers[..., 2], np.asarray(log_T))

    def gain(self, smaller: float, larger: float, log_T: float) -> Gain:
        """The difference in loss between two sizes after the same length, and what of it comes from each law."""
        names = list(QUANTITIES)
        value = self._terms(smaller, larger, log_T, self.coefficients[None])[0]
        drawn = self._terms(smaller, larger, log_T, self._draws())
        low, high = np.quantile(drawn, self._ends, axis=0)
        totals = np.quantile(drawn.sum(axis=1), self._ends)
        total = self._estimate(float(value.sum()), totals, NATS)
        terms = {name: self._estimate(float(value[k]), (low[k], high[k]), NATS) for k, name in enumerate(names)}
        return Gain(smaller, larger, math.exp(log_T), total, terms, self._shares(value, drawn, total))

    def _terms(
        self, smaller: float, larger: float, log_T: float, coefficients: Float[np.ndarray, "R 3 2"]
    ) -> Float[np.ndarray, "R 3"]:
        terms = split(self.lines(smaller, log_T, coefficients), self.lines(larger, log_T, coefficients))
        return np.stack([terms[name] for name in QUANTITIES], axis=1)

    def _shares(self, value: Any, drawn: Any, total: Estimate) -> dict[str, Estimate]:
        why = "" if total.excludes(0.0) else "the interval of the whole difference contains 0"
        low, high = np.quantile(drawn / drawn.sum(axis=1, keepdims=True), self._ends, axis=0)
        shares = value / value.sum()
        return {
            name: Estimate(float(shares[k]), reason=why, N=self.n_sizes, of="sizes")
            if why
            else self._estimate(float(shares[k]), (low[k], high[k]), "")
            for k, name in enumerate(QUANTITIES)
        }

    def loss(self, N: float, log_T: float) -> Estimate:
        """The loss that a new run of this size reaches after this length, with a prediction interval.

        The asymptote by the laws, and the mean gap of the sizes between it and the loss they reached.
        """
        line = self.lines(N, log_T)
        log_loss = float(line.log_L_d - line.r_d * line.y) + self.gap
        by_number = np.array([1.0, float(line.r_d), -float(line.y)])
        slopes = by_number[:, None] * np.array([1.0, math.log(N / self.N0)])
        variance = np.einsum("ai,aibj,bj->", slopes, self.covariance, slopes) + self.gap_sd**2 * (1 + 1 / self.n_sizes)
        half = student(self.level, self.n_sizes - 2) * math.sqrt(variance)
        ends = math.exp(log_loss - half), math.exp(log_loss + half)
        return Estimate(math.exp(log_loss), ends, "", self.n_sizes, "sizes", NATS, self.level, AHEAD)

    @property
    def _ends(self) -> tuple[float, float]:
        return (1 - self.level) / 2, (1 + self.level) / 2

    def _draws(self) -> Float[np.ndarray, "R 3 2"]:
        rng = np.random.default_rng(0)
        flat = self.covariance.reshape(6, 6)
        values, vectors = np.linalg.eigh(flat)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        df = self.n_sizes - 2
        z = rng.standard_normal((DRAWS, 6)) / np.sqrt(rng.chisquare(df, DRAWS) / df)[:, None]
        return self.coefficients + (z @ root.T).reshape(DRAWS, 3, 2)

    def _estimate(self, value: float, ends: Any, unit: str) -> Estimate:
        low, high = map(float, ends)
        return Estimate(value, (low, high), "", self.n_sizes, "sizes", unit, self.level, SHARES)


def joint_laws(family: SizeFamily, laws: Mapping[str, SizeLaw], level: float) -> JointLaws:
    """The laws of "L_d", "t_d" and "r_d" together."""
    lines = [laws[name].line for name in QUANTITIES]
    covariance = np.stack([np.stack([a.covariance(b) for b in lines], axis=1) for a in lines])
    coefficients = np.array([[line.at_centre, line.slope] for line in lines])
    N0 = laws["L_d"].N0
    away = np.log(family.N / N0)
    log_L_d, log_t_d, r_d = (coefficients @ np.stack([np.ones_like(away), away])).tolist()
    gaps = family.log_reached - (np.array(log_L_d) - np.array(r_d) * (family.log_last - np.array(log_t_d)))
    return JointLaws(coefficients, covariance, N0, len(family.N), float(gaps.mean()), float(gaps.std(ddof=1)), level)
