"""Small stores of per-token losses, a run directory that holds one, and the document of the verb interference."""

import numpy as np
import pytest
import xarray as xr
from called import one_document

STEPS = [0, 1, 2, 4, 9]


def losses(steps=STEPS, sequences=40, positions=6, seed=0):
    rng = np.random.default_rng(seed)
    loss = 4 - 0.3 * np.arange(len(steps))[:, None, None] + rng.normal(0, 0.4, (len(steps), sequences, positions))
    loss[:, 0, -1] = np.nan
    return xr.Dataset(
        {"loss": (("checkpoint", "sequence", "position"), loss.astype(np.float32))},
        coords={
            "step": ("checkpoint", np.array(steps)),
            "token": (("sequence", "position"), rng.integers(0, 256, (sequences, positions)).astype(np.int32)),
            "document": ("sequence", np.arange(sequences) // 2),
        },
    )


def write(dataset, folder):
    dataset.to_zarr(folder, mode="w", consolidated=False)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write(losses(), tmp_path_factory.mktemp("store") / "losses.zarr")


@pytest.fixture
def run(tmp_path):
    """A run directory: a store, and a checkpoint with its tokenizer."""
    from tokenizers import Tokenizer, decoders, models

    bytes_as_words = {chr(256 + byte): byte for byte in range(256)}
    tokenizer = Tokenizer(models.WordLevel(bytes_as_words, unk_token=chr(256)))
    tokenizer.decoder = decoders.Fuse()
    (tmp_path / "checkpoint-4").mkdir()
    tokenizer.save(str(tmp_path / "checkpoint-4" / "tokenizer.json"))
    write(losses(), tmp_path / "zerosum" / "losses.zarr")
    return tmp_path


def document_of(call, *arguments):
    code, out, err = call("interference", *arguments, "--json")
    assert (code, err) == (0, "")
    return one_document(out)
