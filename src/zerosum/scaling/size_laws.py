"""L_d, t_d and r_d as lines in log N: the laws of one family of runs, with the covariance of all three."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.estimate import Estimate
from zerosum.scaling.reason import Reason
from zerosum.scaling.weighted_line import WeightedLine, student, weighted_line

FEWEST_SIZES = 5
QUANTITIES = ("L_d", "t_d", "r_d")
METHOD = (
    "generalised least squares in log N with the covariance of the fits over sizes and steps, Knapp-Hartung standard "
    "errors, Student's t"
)
POWER, LINE = "{0} = a (N / N0)^b", "{0} = a + b ln(N / N0)"

Verdict = Literal["identified", "not-identified"]


@dataclass(frozen=True)
class SizeLaw:
    """The law of one number over sizes: a (N / N0)^b for L_d and t_d, a + b ln(N / N0) for r_d, which may be below 0.

    quantity: "L_d", "t_d" (steps), "t_d_tokens", "t_d_progress" (sum of learning rates over the largest) or "r_d".
    at_centre: a, at N0, the geometric mean of the sizes. exponent: b. tau: standard deviation of the sizes around the
    law beyond the errors of their fits, of the log, or of r_d itself. without: N left out -> b of the other sizes.
    """

    quantity: str
    form: str
    unit: str
    N0: float
    at_centre: Estimate
    exponent: Estimate
    tau: float
    without: Mapping[float, float]
    verdict: Verdict
    reasons: tuple[Reason, ...]
    line: WeightedLine
    n_sizes: int

    @property
    def in_log(self) -> bool:
        """Whether the law is a line of the logarithm."""
        return self.quantity != "r_d"

    def value(self, N: Float[np.ndarray, "*n"] | float) -> Float[np.ndarray, "*n"]:
        """The law at some sizes."""
        y = self.line.at_centre + self.line.slope * np.log(np.asarray(N) / self.N0)
        return np.asarray(np.exp(y) if self.in_log else y)

    def interval(self, N: Float[np.ndarray, " n"], level: float = 0.95) -> Float[np.ndarray, "2 n"]:
        """Ends of the interval of the law itself at each size; a new run lies around it."""
        x = np.stack([np.ones_like(N), np.log(N / self.N0)])
        half = student(level, self.line.df) * np.sqrt((x * (self.line.covariance(self.line) @ x)).sum(axis=0))
        y = np.array([self.line.at_centre, self.line.slope]) @ x
        ends = np.stack([y - half, y + half])
        return np.asarray(np.exp(ends) if self.in_log else ends)

    def predict(self, N: float, level: float = 0.95) -> Estimate:
        """The law at a size, with its interval."""
        low, high = self.interval(np.array([N]), level)[:, 0].tolist()
        return Estimate(float(self.value(N)), (low, high), "", self.n_sizes, "sizes", self.unit, level, METHOD)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "quantity": self.quantity,
            "form": self.form,
            "unit": self.unit,
            "N0": self.N0,
            "at_centre": self.at_centre.to_json(),
            "exponent": self.exponent.to_json(),
            "tau": self.tau,
            "n_sizes": self.n_sizes,
            "without": [{"n_params": N, "exponent": b} for N, b in self.without.items()],
            "verdict": self.verdict,
            "reasons": [vars(reason) for reason in self.reasons],
        }


def size_law(
    quantity: str,
    unit: str,
    N: Float[np.ndarray, " k"],
    y: Float[np.ndarray, " k"],
    V: Float[np.ndarray, "k k"],
    level: float,
) -> SizeLaw:
    """The law through k >= 3 sizes. y: log of the quantity, r_d itself. V: covariance of the errors of y."""
    N0 = float(np.exp(np.log(N).mean()))
    x, k = np.log(N / N0), len(N)
    line = weighted_line(x, y, V)
    a, b = line.half_widths(level)
    ends = np.array([line.at_centre - a, line.at_centre + a])
    centre, ends = (np.exp(line.at_centre), np.exp(ends)) if quantity != "r_d" else (line.at_centre, ends)
    exponent = Estimate(
        line.slope, (line.slope - b, line.slope + b), "", k, "sizes", "" if quantity != "r_d" else "per e-fold of N",
        level, METHOD,
    )  # fmt: skip
    without = _without_each(N, x, y, V)
    reasons = tuple(_reasons(quantity, k, exponent, without))
    return SizeLaw(
        quantity=quantity,
        form=(LINE if quantity == "r_d" else POWER).format(quantity),
        unit=unit,
        N0=N0,
        at_centre=Estimate(float(centre), (float(ends[0]), float(ends[1])), "", k, "sizes", unit, level, METHOD),
        exponent=exponent,
        tau=line.tau,
        without=without,
        verdict="not-identified" if any(reason.level == "blocking" for reason in reasons) else "identified",
        reasons=reasons,
        line=line,
        n_sizes=k,
    )


def _without_each(
    N: Float[np.ndarray, " k"], x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"], V: Float[np.ndarray, "k k"]
) -> dict[float, float]:
    """N of the size left out -> slope of the others; empty with three sizes."""
    if len(N) < 4:
        return {}
    others = [np.arange(len(N)) != k for k in range(len(N))]
    return {float(N[~keep][0]): weighted_line(x[keep], y[keep], V[np.ix_(keep, keep)]).slope for keep in others}


def _reasons(quantity: str, k: int, exponent: Estimate, without: Mapping[float, float]) -> list[Reason]:
    reasons = []
    if k < FEWEST_SIZES:
        text = f"{k} sizes: a law of N needs at least {FEWEST_SIZES}"
        reasons.append(Reason("few-sizes", "blocking", text))
    if not exponent.excludes(0.0):
        text = f"the interval of the exponent contains 0: these runs do not show that {quantity} depends on N"
        reasons.append(Reason("sign-not-shown", "blocking", text))
    if exponent.interval is not None and without:
        low, high = exponent.interval
        N, b = max(without.items(), key=lambda one: abs(one[1] - exponent.value))
        if not low <= b <= high or math.copysign(1, b) != math.copysign(1, exponent.value):
            text = f"without the size {N:.3g} the exponent of {quantity} is {b:.3g}, not {exponent.value:.3g}"
            reasons.append(Reason("one-size-decides", "note", text))
    return reasons
