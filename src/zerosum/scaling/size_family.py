"""The fits of a family of runs as arrays: one row for each size, with the covariance of all their errors.

Letters: r runs, k sizes; the three numbers are log L_d, log t_d and r_d.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.deceleration import Fit
from zerosum.scaling.runs import SizedRun
from zerosum.scaling.shared_errors import shared_errors


@dataclass(frozen=True)
class FittedRun:
    """A run with its fit. in_tokens: whether t_d and the length of runs are compared in training tokens, not steps."""

    run: SizedRun
    fit: Fit
    in_tokens: bool = False

    @property
    def usable(self) -> bool:
        """Whether the fit has a break with intervals, without which a law cannot use it."""
        return self.fit.has_break and self.fit.intervals["t_d"] is not None and self.fit.fit_errors is not None

    @property
    def log_step(self) -> float:
        """Log of what a late step counts for on the axis."""
        return math.log(self.run.tokens_per_step) if self.in_tokens else 0.0

    @property
    def numbers(self) -> Float[np.ndarray, " 3"]:
        """log L_d, log t_d, r_d."""
        return np.array([math.log(self.fit.L_d), self._log_place(self.fit.t_d), self.fit.r_d])

    @property
    def log_last(self) -> float:
        """Log of the last fitted step, on the axis."""
        return self._log_place(self.fit.last_step)

    def _log_place(self, step: float) -> float:
        return math.log(self.tokens_at(step) if self.in_tokens else step)

    def tokens_at(self, step: float) -> float:
        """Training tokens seen at a step; NaN where the log has none."""
        curve = self.run.curve
        return math.nan if curve.tokens is None else float(np.interp(step, curve.step, curve.tokens))

    def progress_at(self, step: float) -> float:
        """Sum of learning rates up to a step over the largest, which is steps at the full rate; NaN without rates."""
        curve = self.run.curve
        if curve.lr is None:
            return math.nan
        rate = np.maximum(curve.lr, 0.0)
        summed = np.cumsum(rate * np.diff(curve.step, prepend=0.0))
        return float(np.interp(step, curve.step, summed) / rate.max())


@dataclass(frozen=True)
class SizeFamily:
    """k sizes, rising. N: parameters. numbers: means over the seeds of a size. V: their covariance.

    log_last: last fitted step, where seeds differ the first. log_reached: log of the loss reached there. seed_sd: of
    the three numbers between seeds of one size, NaN without. correlation: of the misfits of two sizes.
    """

    N: Float[np.ndarray, " k"]
    numbers: Float[np.ndarray, "k 3"]
    V: Float[np.ndarray, "k 3 k 3"]
    log_last: Float[np.ndarray, " k"]
    log_reached: Float[np.ndarray, " k"]
    seed_sd: Float[np.ndarray, " 3"]
    correlation: Float[np.ndarray, "k k"]
    average: Float[np.ndarray, "k r"]

    def rows(self, keep: Bool[np.ndarray, " k"]) -> "SizeFamily":
        """Some of the sizes. keep: a mask."""
        places = np.flatnonzero(keep)
        return SizeFamily(
            self.N[places],
            self.numbers[places],
            self.V[places][:, :, places],
            self.log_last[places],
            self.log_reached[places],
            self.seed_sd,
            self.correlation[np.ix_(places, places)],
            self.average[places],
        )

    def mean(self, values: Sequence[float]) -> Float[np.ndarray, " k"]:
        """Means over the seeds of each size, of one value for each run."""
        return np.asarray(self.average @ np.array(values))


def size_family(runs: Sequence[FittedRun]) -> SizeFamily:
    """The family of usable runs, in the order of N. Seeds of one size are averaged, and their spread is used."""
    all_N = np.array([one.run.size.N for one in runs])
    errors = [one.fit.fit_errors for one in runs if one.fit.fit_errors is not None]
    shared = shared_errors(errors, np.log(all_N), np.array([one.log_step for one in runs]))
    N, size = np.unique(all_N, return_inverse=True)
    seeds = np.bincount(size).astype(float)
    average = (size == np.arange(len(N))[:, None]) / seeds[:, None]
    numbers = np.stack([one.numbers for one in runs])
    V = np.einsum("kr,raqb,lq->kalb", average, shared.covariance, average, optimize=True)
    sd, unexplained = _between_seeds(numbers, shared.covariance, size)
    for k, m in enumerate(seeds.tolist()):
        V[k, :, k, :] += np.diag(unexplained) / m
    last = np.array([one.log_last for one in runs])
    reached = np.array([math.log(one.fit.L_T) for one in runs])
    first_end = np.array([last[size == k].min() for k in range(len(N))])
    correlation = average @ shared.correlation @ average.T
    scale = np.sqrt(np.diag(correlation))
    correlation /= scale[:, None] * scale
    return SizeFamily(N, average @ numbers, V, first_end, average @ reached, sd, correlation, average)


def _between_seeds(
    numbers: Float[np.ndarray, "r 3"], covariance: Float[np.ndarray, "r 3 r 3"], size: Int[np.ndarray, " r"]
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Standard deviation between seeds of one size, and the variance that errors of the fits do not explain."""
    squares, explained, df = np.zeros(3), np.zeros(3), 0
    for k in range(int(size.max()) + 1):
        rows = np.flatnonzero(size == k)
        m = len(rows)
        if m < 2:
            continue
        squares += ((numbers[rows] - numbers[rows].mean(axis=0)) ** 2).sum(axis=0)
        inside = np.einsum("raqa->arq", covariance[rows][:, :, rows])
        explained += np.trace(inside, axis1=1, axis2=2) - inside.sum(axis=(1, 2)) / m
        df += m - 1
    if df == 0:
        return np.full(3, math.nan), np.zeros(3)
    return np.sqrt(squares / df), np.maximum(squares - explained, 0.0) / df
