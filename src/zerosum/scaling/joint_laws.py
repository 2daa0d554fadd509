"""The three laws of a family together: their covariance, shares of the gain between two sizes, losses of other sizes.

Letters: k sizes, a and b of the three numbers log L_d, log t_d, r_d; each law has 2 coefficients in log N.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.deceleration.decomposition import Line, split
from zerosum.estimate import Estimate
from zerosum.scaling.size_family import SizeFamily
from zerosum.scaling.size_laws import QUANTITIES, SizeLaw
from zerosum.scaling.weighted_line import WeightedLine, student, weighted_line

NATS = "nats per token"
DRAWS = 4_000
SHARES = "draws from the joint distribution of the three laws (multivariate t)"
AHEAD = "errors of the three laws together, and the scatter of the losses that the sizes reached around the laws"


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
    """The lines of log L_d, log t_d and r_d of one family, at sizes counted from N0, with what connects them."""

    family: SizeFamily
    lines: tuple[WeightedLine, WeightedLine, WeightedLine]
    N0: float
    level: float

    @property
    def coefficients(self) -> Float[np.ndarray, "3 2"]:
        """Value at N0 and slope of each line."""
        return np.array([[line.at_centre, line.slope] for line in self.lines])

    def line_at(self, N: float, log_T: float, coefficients: Float[np.ndarray, "... 3 2"] | None = None) -> Line:
        """The line of the loss after the break at a size, for each set of coefficients."""
        both = self.coefficients if coefficients is None else coefficients
        numbers = both @ np.array([1.0, math.log(N / self.N0)])
        return Line(numbers[..., 0], numbers[..., 1], numbers[..., 2], np.asarray(log_T))

    def gain(self, smaller: float, larger: float, log_T: float) -> Gain:
        """The difference in loss between two sizes after the same length, and what of it comes from each law."""
        value = self._terms(smaller, larger, log_T, self.coefficients[None])[0]
        drawn = self._terms(smaller, larger, log_T, self._draws(self._mean_slopes(smaller, larger, log_T)))
        total = self._from_draws(float(value.sum()), drawn.sum(axis=1), NATS)
        terms = {name: self._from_draws(float(value[k]), drawn[:, k], NATS) for k, name in enumerate(QUANTITIES)}
        return Gain(smaller, larger, math.exp(log_T), total, terms, self._shares(value, drawn, total))

    def loss(self, N: float, log_T: float) -> Estimate:
        """The loss that a new run of this size reaches after this length, with a prediction interval.

        The asymptote by the laws, and the mean gap of the sizes between it and the loss they reached.
        """
        line, x = self.line_at(N, log_T), np.array([1.0, math.log(N / self.N0)])
        gaps = self.family.log_reached - np.array(
            [
                np.log(self.line_at(size, last).L_hat)
                for size, last in zip(self.family.N.tolist(), self.family.log_last.tolist(), strict=True)
            ]
        )
        log_loss, df = math.log(float(line.L_hat)) + float(gaps.mean()), self.lines[0].df
        together = self._combined(np.array([1.0, float(line.r_d), -float(line.y)]))
        scatter = float(((gaps - gaps.mean()) ** 2).sum()) / df
        variance = float(x @ together.covariance(together) @ x) + scatter
        half = student(self.level, df) * math.sqrt(variance)
        ends = math.exp(log_loss - half), math.exp(log_loss + half)
        return Estimate(math.exp(log_loss), ends, "", len(self.family.N), "sizes", NATS, self.level, AHEAD)

    def _mean_slopes(self, smaller: float, larger: float, log_T: float) -> Float[np.ndarray, " 3"]:
        """What log loss at a length gains by each number, in the middle of two sizes; see `decomposition.split`."""
        a, b = (self.line_at(N, log_T) for N in (smaller, larger))
        return np.array([1.0, float(a.r_d + b.r_d) / 2, -float(a.y + b.y) / 2])

    def _combined(self, slopes: Float[np.ndarray, " 3"]) -> WeightedLine:
        """The line of one combination of the numbers of each size.

        Errors of the three that cancel in log loss, as those of where a break lies do, cancel here.
        """
        x = np.log(self.family.N / self.N0)
        V = np.einsum("a,iajb,b->ij", slopes, self.family.V, slopes)
        return weighted_line(x, self.family.numbers @ slopes, V)

    def _terms(
        self, smaller: float, larger: float, log_T: float, coefficients: Float[np.ndarray, "R 3 2"]
    ) -> Float[np.ndarray, "R 3"]:
        terms = split(self.line_at(smaller, log_T, coefficients), self.line_at(larger, log_T, coefficients))
        return np.stack([terms[name] for name in QUANTITIES], axis=1)

    def _shares(
        self, value: Float[np.ndarray, " 3"], drawn: Float[np.ndarray, "R 3"], total: Estimate
    ) -> dict[str, Estimate]:
        with np.errstate(invalid="ignore"):  # draws of three sizes may lie beyond all numbers
            share, every = value / value.sum(), drawn / drawn.sum(axis=1, keepdims=True)
        shares = {name: self._from_draws(float(share[k]), every[:, k], "") for k, name in enumerate(QUANTITIES)}
        if total.excludes(0.0):
            return shares
        why = "the interval of the whole difference contains 0"
        return {name: replace(one, interval=None, reason=why) for name, one in shares.items()}

    def _draws(self, slopes: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "R 3 2"]:
        """Coefficients from their joint distribution (multivariate t), in which one combination is known better.

        slopes: of the combination; the part of each draw that moves it is replaced by a draw of its own line.
        """
        rng, df = np.random.default_rng(0), self.lines[0].df
        C = np.stack([np.stack([a.covariance(b) for b in self.lines], axis=1) for a in self.lines]).reshape(6, 6)
        together = self._combined(slopes)
        H = np.kron(slopes, np.eye(2))
        onto = C @ H.T @ np.linalg.pinv(H @ C @ H.T, hermitian=True)
        z = rng.standard_normal((DRAWS, 8)) / np.sqrt(rng.chisquare(df, DRAWS) / df)[:, None]
        apart = z[:, :6] @ _root(C)
        apart += (z[:, 6:] @ _root(together.covariance(together)) - apart @ H.T) @ onto.T
        return np.asarray(self.coefficients + apart.reshape(DRAWS, 3, 2))

    def _from_draws(self, value: float, drawn: Float[np.ndarray, " R"], unit: str) -> Estimate:
        number = len(self.family.N)
        low, high = np.quantile(drawn, [(1 - self.level) / 2, (1 + self.level) / 2]).tolist()
        if not (math.isfinite(low) and math.isfinite(high)):
            why = f"{number} sizes do not bound it"
            return Estimate(value, None, why, number, "sizes", unit, self.level, SHARES)
        return Estimate(value, (low, high), "", number, "sizes", unit, self.level, SHARES)


def joint_laws(family: SizeFamily, laws: Mapping[str, SizeLaw], level: float) -> JointLaws:
    """The laws of "L_d", "t_d" and "r_d" together."""
    L_d, t_d, r_d = (laws[name] for name in QUANTITIES)
    return JointLaws(family, (L_d.line, t_d.line, r_d.line), L_d.N0, level)


def _root(C: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(C)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
