"""Stores for tests of `zerosum interference`, and its document."""

import numpy as np
from called import one_document
from tiny import falling_losses
from tiny import losses as store_of

STEPS = [0, 1, 2, 4, 9]


def losses(steps=STEPS, sequences=40, positions=6, seed=0):
    """Falling losses of documents of two sequences each; one of them is missing."""
    loss, rng = falling_losses(steps, sequences, positions, seed=seed)
    loss[:, 0, -1] = np.nan
    token = rng.integers(0, 256, (sequences, positions)).astype(np.int32)
    return store_of(loss, steps, token=token, document=np.arange(sequences) // 2)


def write(dataset, folder):
    dataset.to_zarr(folder, mode="w", consolidated=False)
    return folder


def document_of(call, *arguments):
    code, out, err = call("interference", *arguments, "--json")
    assert (code, err) == (0, "")
    return one_document(out)
