"""Gaps: stretches of steps that a log says nothing of, longer than its usual distance between rows."""

import numpy as np
from jaxtyping import Float

WINDOW = 10  # distances on either side that make the usual one
FACTOR = 5.0  # a gap is this many times longer than usual on both sides, so that a log that thins out has none


def find_gaps(step: Float[np.ndarray, " n"]) -> list[tuple[float, float]]:
    """The (last step before, first step after) of each gap, in order.

    step: [n] increasing. Too short a log to know the usual distance, under 10 rows on either side, has no gaps.

    >>> find_gaps(np.r_[0.0:100, 500:600])
    [(99.0, 500.0)]
    """
    distance = np.diff(step)
    if len(distance) < 2 * WINDOW + 1:
        return []
    usual = float(np.median(distance))
    # Only candidates are looked at closely: in a log of even steps there are few.
    at = np.flatnonzero(distance > FACTOR * min(usual, float(np.median(distance[:WINDOW]))))
    at = at[(at >= WINDOW) & (at < len(distance) - WINDOW)]
    windows = np.lib.stride_tricks.sliding_window_view(distance, WINDOW)
    around = np.maximum(np.median(windows[at - WINDOW], axis=1), np.median(windows[at + 1], axis=1))
    found = at[distance[at] > FACTOR * around]
    return [(float(step[k]), float(step[k + 1])) for k in found]


def describe_gaps(step: Float[np.ndarray, " n"]) -> list[str]:
    """One sentence about all gaps, or none."""
    found = find_gaps(step)
    if not found:
        return []
    where = ", ".join(f"{before:g} to {after:g}" for before, after in found[:3]) + (", ..." if len(found) > 3 else "")
    return [f"{len(found)} gap{'s' * (len(found) > 1)} in the steps ({where}): nothing was filled in"]
