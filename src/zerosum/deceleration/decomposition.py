"""Splits the difference of two final losses exactly into terms of L_d, t_d, r_d and T. Pure arrays.

log L_hat = log L_d - r_d y with y = log(T / t_d). Of a product, each change counts times the mean of the other factor:
d(r_d y) = d(r_d) mean(y) + mean(r_d) d(y), which is exact for finite changes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "*#k"]
TERMS = ("L_d", "t_d", "r_d", "T")


@dataclass(frozen=True)
class Line:
    """The line after the break: log L_d (nats), log t_d, r_d, log T, scalars or several side by side."""

    log_L_d: Values
    log_t_d: Values
    r_d: Values
    log_T: Values

    @property
    def y(self) -> Values:
        """log(T / t_d): log steps (or tokens) after the break."""
        return np.asarray(self.log_T - self.log_t_d)

    @property
    def L_hat(self) -> Values:
        """The asymptote at T, nats."""
        return np.asarray(np.exp(self.log_L_d - self.r_d * self.y))


def split(a: Line, b: Line) -> dict[str, Values]:
    """Terms in nats that add up to L_hat of b minus that of a; below 0 is better for b. T: from training longer.

    >>> one = Line(*(np.array(v) for v in (np.log(4.0), np.log(100.0), 0.02, np.log(1e4))))
    >>> two = Line(*(np.array(v) for v in (np.log(4.0), np.log(100.0), 0.03, np.log(1e4))))
    >>> {name: round(float(value), 3) for name, value in split(one, two).items()}
    {'L_d': 0.0, 't_d': 0.0, 'r_d': -0.164, 'T': -0.0}
    """
    y, r_d = (a.y + b.y) / 2, (a.r_d + b.r_d) / 2
    logs = (
        b.log_L_d - a.log_L_d,
        r_d * (b.log_t_d - a.log_t_d),
        -(b.r_d - a.r_d) * y,
        -r_d * (b.log_T - a.log_T),
    )
    nats = logarithmic_mean(a.L_hat, b.L_hat)
    return {name: np.asarray(value * nats) for name, value in zip(TERMS, logs, strict=True)}


def logarithmic_mean(a: Values, b: Values) -> Values:
    """(b - a) / log(b / a), a where both are the same: turns differences of logs into differences exactly.

    a, b: above 0. Lies between them. Source: Ang's logarithmic mean Divisia index (2004).

    >>> float(logarithmic_mean(np.array(2.0), np.array(2.0)))
    2.0
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(b / a)
        mean = a * np.expm1(log_ratio) / log_ratio
    # Below 1e-300 the quotient is that of two roundings.
    return np.asarray(np.where(np.abs(log_ratio) > 1e-300, mean, a))
