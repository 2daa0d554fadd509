"""Profile of one parameter: the objective with that parameter held and all others refitted."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from zerosum.estimate import Interval
from zerosum.scaling.noise import Noise
from zerosum.scaling.search import Minimum

OFFSETS = np.geomspace(0.2, 100.0, 24)  # standard errors from the minimum, to either side; and the end of the range
LARGEST = 200  # a standard error is at most the range divided by this


@dataclass(frozen=True)
class Profile:
    """Profile of `parameter`. value: [m] where it was held, rising. rise: [m] of the objective above its minimum.

    threshold: rise at the ends of the 95 % interval. interval: an end is infinite where the objective never rises that
    far within the range searched.
    """

    parameter: str
    value: Float[np.ndarray, " m"]
    rise: Float[np.ndarray, " m"]
    threshold: float
    interval: Interval

    @property
    def open_below(self) -> bool:
        """No lower end."""
        return math.isinf(self.interval[0])

    @property
    def open_above(self) -> bool:
        """No upper end."""
        return math.isinf(self.interval[1])


def profile(best: Minimum, noise: Noise, parameter: str) -> Profile:
    """Profile of one parameter of theta."""
    j = best.law.names.index(parameter)
    low, high = best.law.ends(best.objective.log_y[0])
    centre = float(best.theta[j])
    error = min(math.sqrt(max(float(noise.covariance[j, j]), 1e-16)), float(high[j] - low[j]) / LARGEST)
    line = noise.covariance[j] / max(float(noise.covariance[j, j]), 1e-300)
    ends = []
    for sign, bound in ((-1.0, low[j]), (1.0, high[j])):
        reach = np.minimum(np.append(OFFSETS * error, np.inf), abs(bound - centre))
        ends.append(centre + sign * np.unique(reach[reach > 0]))
    held = np.sort(np.concatenate(ends))
    along = best.theta + (held - centre)[:, None] * line
    alone = np.tile(best.theta, (len(held), 1))
    lows, highs = np.tile(low, (len(held), 1)), np.tile(high, (len(held), 1))
    for bound in (along, alone, lows, highs):
        bound[:, j] = held
    lowest = np.minimum(*(best.objective.minimised(start, lows, highs)[1] for start in (along, alone)))
    place = int(np.searchsorted(held, centre))
    value = np.insert(held, place, centre)
    rises = np.insert(np.maximum(lowest - best.value, 0.0), place, 0.0)
    below, above = value <= centre, value >= centre
    interval = (
        -_crossing(-value[below][::-1], rises[below][::-1], noise.threshold),
        _crossing(value[above], rises[above], noise.threshold),
    )
    return Profile(parameter, value, rises, noise.threshold, interval)


def _crossing(value: Float[np.ndarray, " m"], rise: Float[np.ndarray, " m"], threshold: float) -> float:
    """Where the rise first exceeds the threshold, outwards; its square root is nearly straight. Infinite without."""
    over = np.flatnonzero(rise > threshold)
    if len(over) == 0:
        return math.inf
    k = int(over[0])
    if k == 0:
        return float(value[0])
    a, b = np.sqrt(rise[k - 1]), np.sqrt(rise[k])
    return float(value[k - 1] + (value[k] - value[k - 1]) * (math.sqrt(threshold) - a) / (b - a))
