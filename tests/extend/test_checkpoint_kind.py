"""A kind of checkpoint is one file in the folder of kinds. In this process, because loading torch takes seconds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import repeating_tokens, save_run

import zerosum
from zerosum.checkpoints import kinds, load_model, open_run
from zerosum.errors import InputError

TOY = Path(__file__).parent / "toys" / "checkpoint_kind.py"


@pytest.fixture
def run(tmp_path):
    """A run of checkpoints at steps 3 and 5, and the same in the toy's layout."""
    pytest.importorskip("transformers")
    save_run(tmp_path / "plain", (3, 5))
    for step in (3, 5):
        folder = tmp_path / "toy" / f"checkpoint-{step}"
        shutil.copytree(tmp_path / "plain" / f"checkpoint-{step}", folder / "weights")
        (folder / "state.json").write_text(json.dumps({"step": step}))
    return tmp_path


@pytest.fixture
def with_toy(tmp_path, monkeypatch):
    """with_toy(): the file is there from now on."""

    def with_toy():
        (tmp_path / "more").mkdir()
        shutil.copyfile(TOY, tmp_path / "more" / "toy_folder.py")
        monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path / "more")])
        kinds.known_kinds.cache_clear()

    yield with_toy
    kinds.known_kinds.cache_clear()


def test_a_kind_of_checkpoint_is_one_file(run, with_toy):
    with pytest.raises(InputError):
        open_run(run / "toy").checkpoints[0].weights()
    with_toy()
    plain, toy = open_run(run / "plain"), open_run(run / "toy")
    assert [checkpoint.step for checkpoint in toy.checkpoints] == [3, 5]
    for ours, theirs in zip(toy.checkpoints, plain.checkpoints, strict=True):
        assert kinds.kind_of(ours.path).name == "toy folder"
        assert ours.weight_hash() == theirs.weight_hash()
        losses = [zerosum.token_losses(load_model(one), repeating_tokens()) for one in (ours, theirs)]
        np.testing.assert_array_equal(*losses)
