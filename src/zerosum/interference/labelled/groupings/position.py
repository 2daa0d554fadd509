"""Groups by place in the sequence."""

import numpy as np

from zerosum.interference.labelled._change import Change
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels, log2_bins


def label(change: Change, text: TokenText | None) -> Labels:
    """Bins 1, 2-3, 4-7, ... of how many tokens of its sequence the model has seen when it predicts."""
    seen = change.of(np.arange(1, change.kept.shape[1] + 1))
    return log2_bins(seen, "how many tokens of its sequence the model sees before the one it predicts")
