"""Groups by the loss at the earlier checkpoint of the pair."""

import numpy as np

from zerosum.interference.labelled._change import Change
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels, quantile_bins


def label(change: Change, text: TokenText | None) -> Labels:
    """Ten bins of about equal size of the loss at the earlier step."""
    note = (
        f"loss in nats at step {change.from_step:,}, in bins of about equal size. Regression to the mean alone makes "
        "these groups oppose each other: a loss that is high by chance at that step falls, one that is low rises. "
        "Use --by first-loss for bins whose chance is not part of the change"
    )
    return quantile_bins(change.before[change.kept].astype(np.float64), note)
