"""Training on token files: batches, held-out sequences, tokenizer, and a run from beginning to end."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_recipe import tiny_recipe

from zerosum import InputError
from zerosum.tokens import load_tokenizer
from zerosum.tokens.files import DataOptions, TokenFiles, epoch_batch, open_token_files, write_token_files
from zerosum.training import train
from zerosum.training.corpora.tokens import TokensSettings


@pytest.fixture(scope="module")
def files(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> TokenFiles:
    out = tmp_path_factory.mktemp("tokens") / "files"
    return write_token_files(out, DataOptions((str(corpus),), "bytes", held_out=0.3))


@pytest.mark.parametrize("packing", ["packed", "cut"])
def test_batches_and_held_out_sequences_are_those_of_the_files(files: TokenFiles, packing: str) -> None:
    data = TokensSettings(folder=str(files.folder), packing=packing).open()
    assert (data.vocabulary, data.end_of_document) == (257, 256)
    batch = data.batch(3, 7, 4, 8)
    ids, domain = epoch_batch(files.train, 3, 7, 4, 8, packing)
    np.testing.assert_array_equal(batch.ids, ids)
    np.testing.assert_array_equal(batch.domain, domain)
    assert data.held_out(5, 8).sha256 == files.held_out_tokens(5, 8).sha256
    assert data.facts["sha256"] == files.sha256


@pytest.mark.parametrize("packing", ["packed", "cut"])
def test_a_run_on_token_files(files: TokenFiles, corpus: Path, tmp_path: Path, packing: str) -> None:
    recipe = tiny_recipe(corpus).model_copy(
        update={"data": TokensSettings(folder=str(files.folder), packing=packing), "steps": 3}
    )
    train(recipe, tmp_path / "run")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) == 3
    assert np.isfinite(losses).all()
    assert load_tokenizer(tmp_path / "run" / "checkpoint-2").encode("ab") == [97, 98]


def test_damaged_ids_are_no_batch(files: TokenFiles, tmp_path: Path) -> None:
    shutil.copytree(files.folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "train.bin").write_bytes(b"\xff" * (2 * len(files.train.ids)))
    with pytest.raises(InputError, match="damaged: id 65535 in the training ids"):
        TokensSettings(folder=str(tmp_path / "damaged")).open().batch(0, 0, 1, 8)
    (tmp_path / "damaged" / "held_out.bin").write_bytes(b"\xff" * (2 * len(files.held_out.ids)))
    with pytest.raises(InputError, match=r"held_out.bin: token ids from 65535"):
        open_token_files(tmp_path / "damaged").held_out_tokens(1, 8)


def test_a_folder_without_token_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder of token files"):
        TokensSettings(folder=str(tmp_path)).open()
