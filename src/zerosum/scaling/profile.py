"""Profile of one parameter: the objective with that parameter held and all others refitted."""

import math
from collections.abc import Sequence
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


def profiles(best: Minimum, noise: Noise, parameters: Sequence[str]) -> tuple[Profile, ...]:
    """Profiles of some parameters of theta. All refits run side by side."""
    places = [best.law.names.index(name) for name in parameters]
    held = [_held(best, noise, j) for j in places]
    low, high = best.law.ends(best.objective.log_y[0])
    starts, lows, highs = [], [], []
    for j, values in zip(places, held, strict=True):
        line = noise.covariance[j] / max(float(noise.covariance[j, j]), 1e-300)
        along = best.theta + (values - best.theta[j])[:, None] * line
        bounds = [np.tile(row, (len(values), 1)) for row in (best.theta, low, high)]
        for array in (along, *bounds):
            array[:, j] = values
        starts.append((along, bounds[0]))
        lows.append(bounds[1])
        highs.append(bounds[2])
    along, alone = (np.concatenate(side) for side in zip(*starts, strict=True))
    below, above = np.concatenate(lows * 2), np.concatenate(highs * 2)
    _, ends = best.objective.minimised(np.concatenate([along, alone]), below, above)
    rises = np.maximum(ends.reshape(2, -1).min(axis=0) - best.value, 0.0)
    parts = np.split(rises, np.cumsum([len(values) for values in held])[:-1])
    return tuple(
        _profile(name, float(best.theta[j]), values, rise, noise.threshold)
        for name, j, values, rise in zip(parameters, places, held, parts, strict=True)
    )


def _held(best: Minimum, noise: Noise, j: int) -> Float[np.ndarray, " m"]:
    """Where parameter j is held, rising, without the minimum."""
    low, high = (float(ends[j]) for ends in best.law.ends(best.objective.log_y[0]))
    centre = float(best.theta[j])
    error = min(math.sqrt(max(float(noise.covariance[j, j]), 1e-16)), (high - low) / LARGEST)
    sides = []
    for sign, bound in ((-1.0, low), (1.0, high)):
        reach = np.minimum(np.append(OFFSETS * error, np.inf), abs(bound - centre))
        sides.append(centre + sign * np.unique(reach[reach > 0]))
    return np.sort(np.concatenate(sides))


def _profile(
    name: str, centre: float, held: Float[np.ndarray, " m"], rise: Float[np.ndarray, " m"], threshold: float
) -> Profile:
    place = int(np.searchsorted(held, centre))
    value, rise = np.insert(held, place, centre), np.insert(rise, place, 0.0)
    below, above = value <= centre, value >= centre
    interval = (
        -_crossing(-value[below][::-1], rise[below][::-1], threshold),
        _crossing(value[above], rise[above], threshold),
    )
    return Profile(name, value, rise, threshold, interval)


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
