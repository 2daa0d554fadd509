"""Movement over equal-loss intervals: what M a run pays to bring its loss from L_a down to L_b.

`D = 1 - |delta_L| / M`, so D at equal steps only says who moved less far. Over one interval of the loss delta_L is the
same for every run, and M, the movement paid, can be compared. Pure arrays. Letters: c checkpoints, N tokens.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.optimize import isotonic_regression

from zerosum.errors import InputError

Reason = Literal["", "not-crossed", "few-checkpoints"]
WINDOW = 2 ** (3 / 8)  # checkpoints within this factor of the step of a crossing are used
FEWEST = 4  # checkpoints
INSIDE = 2  # checkpoints between two crossings
BENDS = 8  # pairs of checkpoints: with fewer, no bend is fitted
TENTH = 1.1  # least ratio of the losses of a wide interval


@dataclass(frozen=True)
class LossInterval:
    """From mean loss L_a down to L_b, nats per token. M: mean |change| of a token, nats; D = 1 - (L_a - L_b) / M.

    from_step, to_step: where the run crosses the two losses. N: tokens.
    """

    L_a: float
    L_b: float
    M: float
    D: float
    from_step: float
    to_step: float
    N: int

    @property
    def per_nat(self) -> float:
        """Movement paid per nat of progress, M / (L_a - L_b), at least 1."""
        return self.M / (self.L_a - self.L_b)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return vars(self) | {"per_nat": self.per_nat}


@dataclass(frozen=True)
class EqualLoss:
    """Movement of one run over the intervals between preset losses that it crosses, from high losses to low.

    parts: between neighbouring presets. wide: down to each preset, from the lowest one that is at least a tenth above
    it, or else from the highest. reason: why there is no interval, else "".
    """

    parts: tuple[LossInterval, ...]
    wide: tuple[LossInterval, ...]
    reason: Reason = ""

    def over(self, L_a: float, L_b: float) -> LossInterval | None:
        """The interval between two preset losses, where the run has it."""
        return next((one for one in (*self.wide, *self.parts) if (one.L_a, one.L_b) == (L_a, L_b)), None)


def equal_loss(step: Sequence[float], losses: Float[np.ndarray, "c N"], levels: Sequence[float]) -> EqualLoss:
    """M and D of a run over the intervals between the preset losses that it crosses.

    step: of the checkpoints, rising, all above 0. losses: of each token at each checkpoint, nats; tokens without a
    finite loss anywhere are left out, and so are checkpoints with another value that is not finite. levels: presets of
    the mean loss, from high to low.

    A mean loss is crossed where the falling curve nearest to the run's (least squares, over log step) crosses it. M is
    measured between the real checkpoints around both crossings, and a surface through these values, over the mean
    losses of the two checkpoints, gives M at exactly L_a and L_b: a plane, bent in the distance of the two losses,
    because tokens that wander move by less than in proportion to it. Losses of tokens are never interpolated. An
    interval with fewer than two checkpoints between its crossings is left out.
    Raises InputError where levels do not fall, or steps do not rise.
    """
    if len(levels) < 2 or not all(a > b for a, b in pairwise(levels)):
        raise InputError(f"levels {list(levels)}: not two or more falling losses. Give them from high to low.")
    if len(step) != len(losses) or not all(a < b for a, b in pairwise((0.0, *step))):
        raise InputError("step: not one rising step above 0 for each checkpoint. Sort the checkpoints.")
    run = _Run.of(np.asarray(step, float), np.asarray(losses, float))
    if len(run.mean) < FEWEST or run.losses.shape[1] == 0:
        return EqualLoss((), (), "few-checkpoints")
    crossed = {level: at for level in levels if math.isfinite(at := run.crossing(level))}
    above = {b: [a for a in crossed if a >= TENTH * b] for b in crossed}
    highest = max(crossed, default=math.nan)
    down = [(min(over, default=highest), b) for b, over in above.items() if b < highest]
    parts, wide = (
        tuple(run.interval(a, b, crossed) for a, b in ends if run.inside(crossed[a], crossed[b]) >= INSIDE)
        for ends in (pairwise(crossed), down)
    )
    reason: Reason = "not-crossed" if len(crossed) < 2 else "few-checkpoints"
    return EqualLoss(parts, wide, "" if parts or wide else reason)


def preset_levels(step: Sequence[float], loss: Sequence[float], n: int = 5) -> tuple[float, ...]:
    """Losses that a run had at the n steps T/2^n, ..., T/4, T/2, T its last: presets for all other runs.

    step, loss: mean held-out losses of the checkpoints of the tuned baseline at its constant rate, on a tuning seed.
    A level that is not at least a thousandth below the one before is left out; none without a finite loss.
    """
    steps, losses = np.asarray(step, float), np.asarray(loss, float)
    known = (steps > 0) & np.isfinite(losses)
    if not known.any():
        return ()
    steps, curve = steps[known], falling(losses[known])
    at = np.log(steps[-1]) - math.log(2) * np.arange(n, 0, -1)
    levels: list[float] = []
    for level in np.interp(at, np.log(steps), curve).tolist():
        if not levels or level < levels[-1] * (1 - 1e-3):
            levels.append(level)
    return tuple(levels)


def falling(loss: Float[np.ndarray, " c"]) -> Float[np.ndarray, " c"]:
    """The falling sequence nearest to a loss curve, by least squares."""
    return np.asarray(isotonic_regression(loss, increasing=False).x)


@dataclass(frozen=True)
class _Run:
    """A run with finite losses. mean: of the tokens at each checkpoint. curve: the falling curve nearest to it."""

    log_step: Float[np.ndarray, " c"]
    losses: Float[np.ndarray, "c N"]
    mean: Float[np.ndarray, " c"]
    curve: Float[np.ndarray, " c"]

    @classmethod
    def of(cls, step: Float[np.ndarray, " c"], losses: Float[np.ndarray, "c N"]) -> "_Run":
        losses = losses[:, np.isfinite(losses).any(axis=0)]
        sound = np.isfinite(losses).all(axis=1)
        losses = losses[sound]
        mean = losses.mean(axis=1) if losses.size else np.zeros(len(losses))
        return cls(np.log(step[sound]), losses, mean, falling(mean) if len(mean) else mean)

    def interval(self, L_a: float, L_b: float, crossed: Mapping[float, float]) -> LossInterval:
        """M and D from one mean loss to another. crossed: log step of each."""
        M = self._movement(self._around(crossed[L_a]), self._around(crossed[L_b]), L_a, L_b)
        ends = math.exp(crossed[L_a]), math.exp(crossed[L_b])
        return LossInterval(L_a, L_b, M, 1 - (L_a - L_b) / M, *ends, self.losses.shape[1])

    def crossing(self, level: float) -> float:
        """Log step at which the falling curve has this loss; NaN outside its range."""
        if not self.curve[-1] <= level <= self.curve[0]:
            return math.nan
        first, last = np.searchsorted(-self.curve, -level, "left"), np.searchsorted(-self.curve, -level, "right")
        if first < last:  # a flat stretch at this very loss: its middle
            return float(self.log_step[[first, last - 1]].mean())
        x, y = self.log_step[first - 1 : first + 1], self.curve[first - 1 : first + 1]
        return float(np.interp(-level, -y, x))

    def inside(self, first: float, last: float) -> int:
        """Checkpoints between two log steps, these included."""
        return int(((self.log_step >= first) & (self.log_step <= last)).sum())

    def _around(self, log_step: float) -> list[int]:
        """Checkpoints near a crossing: those within the window, at least one on either side."""
        near = np.abs(self.log_step - log_step) <= math.log(WINDOW)
        above = int(np.clip(np.searchsorted(self.log_step, log_step), 1, len(self.log_step) - 1))
        near[[above - 1, above]] = True
        return [int(k) for k in np.flatnonzero(near)]

    def _movement(self, first: Sequence[int], last: Sequence[int], L_a: float, L_b: float) -> float:
        """M at exactly L_a and L_b, of the surface through M of all pairs of checkpoints near both crossings.

        M is never below L_a - L_b.
        """
        pairs = np.array([(a, b) for a in first for b in last if a < b])
        M = np.array([np.abs(self.losses[b] - self.losses[a]).mean() for a, b in pairs])
        from_a, from_b = (self.mean[pairs] - (L_a, L_b)).T
        terms = [np.ones(len(pairs)), from_a, from_b, (from_a - from_b) ** 2]
        surface, *_ = np.linalg.lstsq(np.column_stack(terms[: 4 if len(pairs) >= BENDS else 3]), M, rcond=None)
        return max(float(surface[0]), L_a - L_b)
