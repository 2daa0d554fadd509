"""Tokens and learning rates that a log does not write beside every loss."""

import numpy as np
from jaxtyping import Bool, Float

Column = Float[np.ndarray, " n"]
WIDEST = 0.05  # of the run between two logged values: a schedule's shape must not be lost between them


def from_same_step(step: Column, values: Column, wanted: Bool[np.ndarray, " n"], *, first: bool) -> tuple[Column, int]:
    """Fill missing values from other rows of the same step; also returns how many.

    Loggers that write one metric a row (Lightning, separate calls) repeat the step. wanted: [n] rows that need a value.
    first: of a step written twice, as when a run was resumed, the first value is taken and not the last.
    """
    giving = np.isfinite(step) & np.isfinite(values)
    missing = np.flatnonzero(wanted & np.isfinite(step) & np.isnan(values))
    if not giving.any() or len(missing) == 0:
        return values, 0
    order = np.flatnonzero(giving)[np.argsort(step[giving], kind="stable")]
    steps = step[order]
    at = np.searchsorted(steps, step[missing], side="left" if first else "right") - (0 if first else 1)
    at = at.clip(0, len(steps) - 1)
    same = steps[at] == step[missing]
    filled = values.copy()
    filled[missing[same]] = values[order[at[same]]]
    return filled, int(same.sum())


def between(step: Column, values: Column, *, hold: bool) -> tuple[Column, int]:
    """Fill missing values on straight lines between the logged ones; also returns how many.

    step: [n] increasing. Nothing is filled where logged values lie further apart than 5 % of the run.
    hold: before the first and after the last logged value, no further than that, the value stays as it is.

    >>> step = np.arange(0.0, 101)
    >>> lr, filled = between(step, np.where(step % 4 == 0, step, np.nan), hold=True)
    >>> filled, float(lr[3])
    (75, 3.0)
    """
    logged = np.isfinite(values)
    if logged.sum() < 2 or logged.all():
        return values, 0
    widest = WIDEST * (step[-1] - step[0])
    at = step[logged]
    ends = max(at[0] - step[0], step[-1] - at[-1])
    if np.diff(at).max() > widest or ends > (widest if hold else 0):
        return values, 0
    return np.where(logged, values, np.interp(step, at, values[logged])), int((~logged).sum())
