"""Gaps: stretches of steps that a log says nothing of, longer than its usual distance between rows."""

import numpy as np
from jaxtyping import Float

from zerosum.curves._note import Note

WINDOW = 10  # distances on either side that make the usual one
FACTOR = 5.0  # a gap is this many times longer than usual on both sides, so that a log that thins out has none
AT_AN_END = 20.0  # as above, where one side has too few rows to tell: a log may thin out tenfold there


def find_gaps(step: Float[np.ndarray, " n"]) -> list[tuple[float, float]]:
    """The (last step before, first step after) of each gap, in order.

    step: [n] increasing. Among the first and last ten rows, as before a stray last row, only one side tells what is
    usual. Too short a log to know the usual distance, of under 22 rows, has no gaps.

    >>> find_gaps(np.r_[0.0:100, 500:600])
    [(99.0, 500.0)]
    >>> find_gaps(np.r_[0.0:100, 30_000])
    [(99.0, 30000.0)]
    """
    distance = np.diff(step)
    if len(distance) < 2 * WINDOW + 1:
        return []
    usual = float(np.median(distance))
    # Only candidates are looked at closely: in a log of even steps there are few.
    at = np.flatnonzero(distance > FACTOR * min(usual, float(np.median(distance[:WINDOW]))))
    windows = np.lib.stride_tricks.sliding_window_view(distance, WINDOW)
    early, late = at < WINDOW, at >= len(distance) - WINDOW
    before = np.median(windows[np.where(early, 0, at - WINDOW)], axis=1)
    after = np.median(windows[np.where(late, 0, at + 1)], axis=1)
    around = np.select([early, late], [after, before], np.maximum(before, after))
    gaps = at[distance[at] > np.where(early | late, AT_AN_END, FACTOR) * around]
    return [(float(step[k]), float(step[k + 1])) for k in gaps]


def describe_gaps(step: Float[np.ndarray, " n"]) -> list[Note]:
    """One sentence about all gaps, or none; and one about a last row that stands alone behind one."""
    gaps = find_gaps(step)
    if not gaps:
        return []
    where = ", ".join(f"{_step(before)} to {_step(after)}" for before, after in gaps[:3])
    where += ", ..." if len(gaps) > 3 else ""
    text = f"{len(gaps)} gap{'s' * (len(gaps) > 1)} in the steps ({where}): nothing was filled in"
    notes = [Note("gap", text)]
    if gaps[-1][1] == step[-1]:
        notes.append(
            Note(
                "gap",
                f"the last row, step {_step(step[-1])}, stands alone behind a gap: remove it if it is a stray one",
            )
        )
    return notes


def _step(step: float) -> str:
    return f"{step:.15g}"
