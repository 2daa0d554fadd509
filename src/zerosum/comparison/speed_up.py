"""Speed-up: how many times as long the baseline must train to reach an arm's loss. Never extrapolated.

The baseline is tuned, and cooled down after several multiples of the horizon; the arm after the horizon alone.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.comparison.equal_loss import falling
from zerosum.comparison.paired import ALPHA, half_width
from zerosum.estimate import Estimate

Beyond = Literal["", "above", "below"]
GRID = 401  # multiples at which differences are looked at
METHOD = "the multiples at which the paired 95 % interval of the difference contains 0"


@dataclass(frozen=True)
class SpeedUp:
    """multiple: of the horizon at which the baseline has the arm's loss; above 1: the arm is faster.

    An end of the interval is infinite, or 0, where it lies outside the multiples that were trained. beyond: "above"
    where even the longest baseline has a higher loss than the arm, "below" where even the shortest has a lower one;
    then multiple has no value. lowest, highest: the multiples that were trained, NaN where there are none.
    """

    multiple: Estimate
    beyond: Beyond
    lowest: float
    highest: float

    def in_cost(self, ratio: float) -> "SpeedUp":
        """The same at equal cost instead of equal tokens. ratio: cost of a token of the arm over that of the baseline.

        No value where the ratio is not known (NaN).

        >>> SpeedUp(Estimate(1.5, (1.2, 2.0)), "", 0.5, 4.0).in_cost(2.0).multiple.value
        0.75
        """
        if math.isnan(ratio):
            return _unknown("the costs are not known", self.multiple.N)
        factor = 1 / ratio
        return SpeedUp(self.multiple.scaled(factor), self.beyond, factor * self.lowest, factor * self.highest)

    def to_json(self) -> dict[str, Any]:
        """`{value, interval, N, unit, reason, ...}`; an end outside the multiples that were trained is null."""
        ends = self.multiple.interval
        shown = None if ends is None else [end if 0 < end < math.inf else None for end in ends]
        trained = [end if math.isfinite(end) else None for end in (self.lowest, self.highest)]
        return {**self.multiple.to_json(), "interval": shown, "beyond": self.beyond or None, "trained": trained}


def speed_up(arm: Mapping[int, float], baseline: Mapping[float, Mapping[int, float]]) -> SpeedUp:
    """How many times as long the baseline trains to the arm's loss, with an interval over paired seeds.

    arm: cooled loss by seed. baseline: multiple of the horizon -> cooled loss by seed. Losses of the baseline are
    joined by straight lines over the log of the multiple, and made to fall with it (least squares, of the means over
    seeds). Seeds that lack a loss anywhere are left out; where a run of arm or baseline diverged (an infinite
    loss), there is no speed-up. The interval holds every multiple at which the paired t interval of arm minus
    baseline contains 0.
    """
    if diverged := sum(map(math.isinf, arm.values())):
        return _unknown(f"{diverged} of {len(arm)} runs diverged", len(arm))
    if diverged := len({seed for losses in baseline.values() for seed, loss in losses.items() if math.isinf(loss)}):
        return _unknown(f"{diverged} of {len(arm)} runs of the baseline diverged", len(arm))
    multiples = sorted(baseline)
    by_seed = [arm, *(baseline[multiple] for multiple in multiples)]
    seeds = [seed for seed in arm if all(math.isfinite(values.get(seed, math.nan)) for values in by_seed)]
    if len(multiples) < 2 or len(seeds) < 2:
        why = "the baseline was not trained to several multiples of the horizon"
        why = why if len(multiples) < 2 else f"{len(seeds)} seeds have every loss; an interval needs 2"
        return _unknown(why, len(seeds))
    losses = np.array([[baseline[multiple][seed] for seed in seeds] for multiple in multiples])
    losses += (falling(losses.mean(axis=1)) - losses.mean(axis=1))[:, None]
    log_multiple = np.linspace(math.log(multiples[0]), math.log(multiples[-1]), GRID)
    curves = np.stack([np.interp(log_multiple, np.log(multiples), curve) for curve in losses.T])
    d = np.array([arm[seed] for seed in seeds])[:, None] - curves
    multiple, beyond = _where_zero(d, np.exp(log_multiple))
    return SpeedUp(multiple, beyond, multiples[0], multiples[-1])


def _unknown(why: str, seeds: int | None) -> SpeedUp:
    return SpeedUp(Estimate(math.nan, reason=why, N=seeds, of="seeds"), "", math.nan, math.nan)


def _where_zero(d: Float[np.ndarray, "n g"], multiples: Float[np.ndarray, " g"]) -> tuple[Estimate, Beyond]:
    """The multiple at which the mean difference, which rises, is 0. d: arm minus baseline, by seed and multiple."""
    n, mean = len(d), d.mean(axis=0)
    half = half_width(1.0, n, 1 - ALPHA) * d.std(axis=0, ddof=1)
    within = np.flatnonzero(np.abs(mean) <= half)
    ends = (float(multiples[within[0]]), float(multiples[within[-1]])) if len(within) else None
    if ends:
        ends = (0.0 if within[0] == 0 else ends[0], math.inf if within[-1] == len(multiples) - 1 else ends[1])
    if mean[-1] < 0:
        why = f"the loss of the arm is below that of the baseline at {multiples[-1]:g} times the horizon"
        ends = ends or (float(multiples[-1]), math.inf)
        return Estimate(math.nan, ends, why, n, "seeds", method=METHOD), "above"
    if mean[0] > 0:
        why = f"the loss of the arm is above that of the baseline at {multiples[0]:g} times the horizon"
        ends = ends or (0.0, float(multiples[0]))
        return Estimate(math.nan, ends, why, n, "seeds", method=METHOD), "below"
    value = float(np.exp(np.interp(0.0, mean, np.log(multiples))))
    ends = ends or (value, value)
    return Estimate(value, (min(ends[0], value), max(ends[1], value)), "", n, "seeds", method=METHOD), ""
