"""The one-break broken neural scaling law (BNSL): one function of the step, and the three numbers read off it.

x = log step, y = log loss; everything is computed in these, so that no power of a step can overflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

Steps = Shaped[np.ndarray, "..."] | Sequence[float | int] | float | int


def hinge(x: Float[np.ndarray, "*shape"], at: float, width: float) -> Float[np.ndarray, "*shape"]:
    """A line that bends smoothly from slope 0 to slope 1 where x = at: width * log(1 + exp((x - at)/width)).

    x, at: log steps. width: of the bend, in log steps, above 0. Stable for any finite arguments.
    """
    return np.asarray(width * np.logaddexp(0.0, (x - at) / width))


@dataclass(frozen=True)
class BNSL:
    """log L(t) = log b - c0 log t - c1 f1 log(1 + (t/d1)^(1/f1)). Source: Caballero et al. 2023, n = 1, a = 0.

    b: nats, the loss that the first segment would have at step 1. c0: log-log rate before the break, c0 + c1 after it
    (a loss that falls has positive rates). d1: the step of the break. f1: its width in log steps.

    >>> law = BNSL(b=18.4, c0=0.175, c1=-0.162, d1=5900.0, f1=0.2)
    >>> f"L_d {law.L_d:.2f} nats at t_d {law.t_d:.0f} steps, r_d {law.r_d:.3f} after, L_hat {law.asymptote(262153):.2f}"
    'L_d 4.03 nats at t_d 5900 steps, r_d 0.013 after, L_hat 3.83'
    """

    b: float
    c0: float
    c1: float
    d1: float
    f1: float

    @classmethod
    def from_rates(cls, log_L_d: float, r_before: float, r_d: float, log_t_d: float, log_f: float) -> "BNSL":
        """The same law in the parameters that a fit moves: where the two lines cross, and the rate of each."""
        with np.errstate(over="ignore", under="ignore"):
            b, d1 = np.exp([log_L_d + r_before * log_t_d, log_t_d])
        return cls(b=float(b), c0=r_before, c1=r_d - r_before, d1=float(d1), f1=float(np.exp(log_f)))

    @property
    def t_d(self) -> float:
        """Step of the break."""
        return self.d1

    @property
    def L_d(self) -> float:
        """Loss in nats where the two straight lines cross. The curve itself is 2^(-c1 f1) times this at t_d."""
        return line_loss(self.b, self.c0, self.d1)

    @property
    def r_before(self) -> float:
        """Log-log rate of improvement before the break; positive while the loss falls."""
        return self.c0

    @property
    def r_d(self) -> float:
        """Log-log rate of improvement after the break; larger is better."""
        return self.c0 + self.c1

    def log_loss(self, step: Steps) -> Float[np.ndarray, "..."]:
        """Log of the loss in nats at each step. NaN where the step is not above 0."""
        step = np.asarray(step, dtype=np.float64)
        x = np.asarray(np.log(np.where(step > 0, step, np.nan)))
        with np.errstate(divide="ignore", invalid="ignore"):
            log_b, log_d1 = np.log([self.b, self.d1])
            return np.asarray(log_b - self.c0 * x - self.c1 * hinge(x, float(log_d1), self.f1))

    def predict(self, step: Steps) -> Float[np.ndarray, "..."]:
        """Loss in nats at each step. NaN where the step is not above 0."""
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.exp(self.log_loss(step)))

    def asymptote(self, T: float | int) -> float:
        """L_hat(T) = L_d (T/t_d)^(-r_d), nats: the second line at step T, which the curve approaches."""
        return asymptote(self.L_d, self.t_d, self.r_d, T)


def line_loss(b: float, c0: float, step: float) -> float:
    """Loss in nats on the first straight line: b step^(-c0). 0 or infinite where floating point ends."""
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return float(np.exp(np.log(b) - c0 * np.log(step)))


def asymptote(L_d: float | int, t_d: float | int, r_d: float | int, T: float | int) -> float:
    """Loss in nats at step T on the line after the break: L_d (T/t_d)^(-r_d).

    >>> round(asymptote(4.05, 5877, 0.0125, 262153), 2)
    3.86
    """
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        return float(np.exp(np.log(L_d) - r_d * np.log(T / t_d)))
