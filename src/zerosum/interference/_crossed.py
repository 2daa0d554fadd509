"""Intervals of an estimate over two crossed samples: held-out texts, and training batches that all texts are measured
after.

Letters: B batches, U resampling units of texts. z: [B, U] how far each unit in each batch moves the estimate: to first
order, the error of the estimate is the mean over batches of the sum of z over units.
"""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from zerosum.estimate import Estimate, Interval
from zerosum.interference._over_repeats import over_repeats

OF_ONE_BATCH = "bootstrap-t over held-out texts of one batch"
METHOD = "Student's t over batches, and bootstrap-t over held-out texts for what batches have in common, in quadrature"


def over_texts_and_batches(whole: Estimate, texts: Interval, z: Float[np.ndarray, "B U"]) -> Estimate:
    """The estimate with an interval for the choice of texts and of batches; of one batch, of texts alone.

    texts: its interval over texts with these batches. The means of batches differ by what batches do, and by noise of
    each text in each batch, so Student's t over them covers both. What a text does in every batch is not in it: its
    share of the variance over texts is `1 - v / V`, with V that of the means over batches, and v what noise of a text
    in a batch adds to V. The half width over texts is multiplied by the root of this share, and added in quadrature.
    """
    if len(z) == 1:
        return replace(whole, interval=texts, method=OF_ONE_BATCH)
    variance = z.mean(0) @ z.mean(0)
    noise = z.var(0, ddof=1).sum() / len(z)
    share = math.sqrt(max(0.0, 1 - noise / variance)) if variance > 0 else 0.0
    low, high = over_repeats(z.sum(1).tolist(), "batches").interval or (0.0, 0.0)
    half, value = (high - low) / 2, whole.value
    down, up = (math.hypot(half, share * (value - texts[0])), math.hypot(half, share * (texts[1] - value)))
    return replace(whole, interval=(value - down, value + up), method=METHOD)
