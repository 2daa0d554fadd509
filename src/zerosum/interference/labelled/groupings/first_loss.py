"""Groups by the loss at the first checkpoint of the store."""

import numpy as np

from zerosum.interference.labelled._change import Change, losses_at, steps_of
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels, quantile_bins


def label(change: Change, text: TokenText | None) -> Labels:
    """Ten bins of about equal size of the loss at the first step; a last group where that loss is missing."""
    first = min(steps_of(change.store))
    note = f"loss in nats at step {first:,}, the first of the store, in bins of about equal size"
    if first == change.from_step:
        note += (
            ". It is also where this pair begins, so regression to the mean alone makes these groups oppose each other"
        )
    loss = losses_at(change.store, first)[change.kept].astype(np.float64)
    known = np.isfinite(loss)
    bins = quantile_bins(loss[known], note)
    if known.all():
        return bins
    code = np.full(loss.size, len(bins.names))
    code[known] = bins.code
    return Labels(code, (*bins.names, "no loss there"), note)
