"""Groups by how often the predicted token comes in the store's own data."""

import numpy as np

from zerosum.interference.labelled._change import Change, tokens_of
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels, count_deciles


def label(change: Change, text: TokenText | None) -> Labels:
    """Deciles of the count of the predicted id among the predictions compared, from rare to frequent."""
    token = change.of(tokens_of(change.store))
    _, index, count = np.unique(token, return_inverse=True, return_counts=True)
    note = (
        f"how often the predicted token comes among the {token.size:,} predictions of this store itself, not in the "
        "training data; deciles of the predictions, fewer where one token fills several"
    )
    return count_deciles(count[index.ravel()].astype(np.int64), note)
