"""Groups by odd and even places in the sequence."""

import numpy as np

from zerosum.interference.labelled.groupings import Labels


def label(change, text):
    place = change.of(np.arange(1, change.kept.shape[1] + 1))
    return Labels((place % 2).astype(np.int64), ("even", "odd"), "whether the place in the sequence is odd")
