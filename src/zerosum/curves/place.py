"""Where in training the rows of a log stand: whether labels part them into runs, and the mean over ranks."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

Axes = dict[str, Float[np.ndarray, " _"]]  # by axis; all of one length
NEXT_PART = 0.1  # of the steps of a part: one that begins later than this after its predecessor's first step goes on


class Place:
    """Where in training each row stands: its epoch, where the log has epochs, and its step."""

    def __init__(self, step: Float[np.ndarray, " n"], epoch: Float[np.ndarray, " n"] | None):
        whole = epoch is not None and np.isfinite(epoch).all() and (epoch == np.floor(epoch)).all()
        restarts = whole and epoch is not None and bool(((np.diff(step) < 0) & (np.diff(epoch) > 0)).any())
        self.step = step
        # One number for the order of rows; steps within epochs are apart by more than any epoch is long.
        self.at = step + (epoch * (np.ptp(step) + 1) if restarts and epoch is not None else 0)

    def is_increasing(self, rows: slice | Int[np.ndarray, " m"] = slice(None)) -> bool:
        """Whether each row stands later than the one before it."""
        return bool((np.diff(self.at[rows]) > 0).all())

    def separated_by(self, codes: Int[np.ndarray, " n"]) -> bool:
        """Whether the rows of each label are in order, and no label stands at a single row."""
        groups = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
        return all(len(group) > 1 and self.is_increasing(group) for group in groups)

    def apart(self, codes: Int[np.ndarray, " n"]) -> bool:
        """Whether labels are series beside each other, not parts of one run that follow each other."""
        groups = [self.at[codes == code] for code in range(codes.max() + 1)]
        if len(groups) < 2 or len(codes) < 2 * len(groups):
            return False
        changes = int((np.diff(codes) != 0).sum())
        if changes > len(groups) - 1:  # interleaved
            return True
        return any(after[0] - before[0] <= NEXT_PART * (before.max() - before[0]) for before, after in pairwise(groups))

    def same_steps(self, codes: Int[np.ndarray, " n"]) -> bool:
        """Whether most steps are logged under more than one label."""
        at, index = np.unique(self.at, return_inverse=True)
        pairs = np.unique(np.stack([index.ravel(), codes]), axis=1)
        return bool(2 * (np.bincount(pairs[0], minlength=len(at)) > 1).sum() > len(at))


def mean_over(codes: Int[np.ndarray, " n"], place: Place, axes: Axes) -> Axes:
    """One row for each step: the mean of every axis over the ranks, in the order of the file.

    A step that a rank logs twice, after a restart, is a row of its own each time.
    """
    order = np.lexsort((np.arange(len(codes)), place.at, codes))
    same = (np.diff(codes[order]) == 0) & (np.diff(place.at[order]) == 0)
    time = np.zeros(len(codes), dtype=np.int64)
    for k in np.flatnonzero(same):
        time[order[k + 1]] = time[order[k]] + 1
    _, first, index = np.unique(np.stack([place.at, time]), axis=1, return_index=True, return_inverse=True)
    index = index.ravel()
    in_file = np.argsort(first)

    def mean(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " steps"]:
        there = np.isfinite(values)
        sums = np.bincount(index, np.where(there, values, 0.0), minlength=len(first))
        counts = np.bincount(index, there, minlength=len(first))
        with np.errstate(invalid="ignore"):
            return (sums / counts)[in_file]

    return {axis: mean(values) for axis, values in axes.items()}
