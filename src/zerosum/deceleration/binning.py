"""Log bins: as many points for each factor of ten in steps, without the lag of a moving average."""

import numpy as np
from jaxtyping import Float, Int

BINS_PER_DECADE = 40


def bin_index(log_step: Float[np.ndarray, " n"], per_decade: int = BINS_PER_DECADE) -> Int[np.ndarray, " n"]:
    """Which log bin each step falls in; bins end at the last step, so that the last one is always complete.

    log_step: [n] natural logs, not falling. Indices are 0 for the first bin that holds a step and grow with the step.
    """
    from_end = bins_from_end(log_step, float(log_step[-1]), per_decade)
    index: Int[np.ndarray, " n"] = from_end[0] - from_end
    return index


def bins_from_end(
    log_step: Float[np.ndarray, " n"], end: float, per_decade: int = BINS_PER_DECADE
) -> Int[np.ndarray, " n"]:
    """How many whole bins lie between each step and `end`, a natural log too; 0 in the last bin."""
    # A tolerance keeps a step that lies on an edge from changing sides by rounding.
    from_end: Int[np.ndarray, " n"] = np.floor((end - log_step) * per_decade / np.log(10) + 1e-9).astype(np.int64)
    return from_end


def bin_means(values: Float[np.ndarray, " n"], starts: Int[np.ndarray, " bins"]) -> Float[np.ndarray, " bins"]:
    """Mean of each run of rows that begins at `starts` and ends before the next start."""
    counts = np.diff(starts, append=len(values))
    means: Float[np.ndarray, " bins"] = np.add.reduceat(values, starts) / counts
    return means


def bin_starts(index: Int[np.ndarray, " n"]) -> Int[np.ndarray, " bins"]:
    """First row of each bin that holds any; `index` as `bin_index` gives it."""
    return np.flatnonzero(np.diff(index, prepend=-1))
