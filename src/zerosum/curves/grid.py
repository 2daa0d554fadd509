"""The grid of steps on which published loss curves are smoothed and thinned. See also `deceleration.smoothing`."""

import numpy as np
from jaxtyping import Bool, Float


def grid_spacing(step: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Distance between neighbouring grid steps at each step: 1, 10 from 100 on, 100 from 1,000, 1,000 from 10,000.

    Source: Mircea et al. 2025, which thins so that the many late steps do not outweigh the early ones.
    """
    return np.select([step < 100, step < 1_000, step < 10_000], [1.0, 10.0, 100.0], 1_000.0)


def on_grid(step: Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which steps the published procedure keeps: multiples of the grid's spacing above 0, and the last step."""
    keep: Bool[np.ndarray, " n"] = (step % grid_spacing(step) == 0) & (step > 0)
    keep[-1:] = True
    return keep


def already_thinned(step: Float[np.ndarray, " n"]) -> bool:
    """Whether a log was written on the published grid, so that it must not be smoothed and thinned a second time.

    step: [n] in the order written. Every step is on the grid, none goes back, only the last may be repeated, and the
    rows grow sparser as the grid does: a log written every 1,000 steps is on the grid too, but raw.

    >>> already_thinned(np.r_[10.0:100, 100:1_000:10, 1_000:9_001:100])
    True
    >>> already_thinned(np.arange(1_000.0, 50_000, 1_000))
    False
    """
    if len(step) < 3:
        return False
    gaps = np.diff(step)
    if not on_grid(step).all() or (gaps[:-1] <= 0).any() or gaps[-1] < 0:
        return False
    # The gap after the last regular row leads to the run's last step, which may lie anywhere.
    spacing = grid_spacing(step[:-2])
    dense = spacing == spacing.min()
    return bool(gaps[:-1][dense].min() < spacing.max())
