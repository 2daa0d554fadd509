"""Where everything of a run lies, and which stores belong to a run."""

import json

import numpy as np
import pytest
import xarray as xr

from zerosum.errors import InputError
from zerosum.runs import RunDirectory, losses_of, open_losses, token_text


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "a run"
    path.mkdir()
    return RunDirectory(path)


def write_store(folder, **attrs):
    loss = np.ones((2, 3, 4), np.float32)
    xr.Dataset({"loss": (("checkpoint", "sequence", "position"), loss)}, attrs=attrs).to_zarr(
        folder, consolidated=False
    )
    return folder


def test_everything_measured_lies_in_one_folder(run):
    assert run.name == "a run"
    assert run.measured == run.path / "zerosum"
    names = [path.relative_to(run.measured).as_posix() for path in (run.losses, run.gradients, run.dissent, run.fit)]
    assert names == ["losses.zarr", "gradients.zarr", "dissent", "fit.json"]


def test_our_own_log_comes_first(run):
    (run.path / "other.csv").write_text("step,loss\n1,9\n2,8\n")
    assert run.log == run.path
    (run.path / "metrics.jsonl").write_text("\n".join(json.dumps({"step": s, "loss": 4.0 - s}) for s in (1, 2, 3)))
    assert run.log == run.path / "metrics.jsonl"
    assert run.curve().loss.tolist() == [3.0, 2.0, 1.0]


def test_a_run_without_a_log_says_so(run):
    with pytest.raises(InputError, match="no loss log was found"):
        run.curve()


def test_a_store_is_given_by_its_run_or_by_itself(run, tmp_path):
    inside, alone = write_store(run.losses), write_store(tmp_path / "alone.zarr")
    assert losses_of(run.path) == losses_of(str(inside)) == inside
    assert RunDirectory.of_losses(inside) == run
    assert RunDirectory.of_losses(alone) is None
    assert open_losses(alone)[0] == alone
    assert open_losses(run.path)[1]["loss"].shape == (2, 3, 4)
    with pytest.raises(InputError, match="not a store of losses"):
        open_losses(tmp_path / "none")


def test_the_tokenizer_of_a_store_is_its_own_or_that_of_the_run(run, tmp_path):
    pytest.importorskip("tokenizers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    def write(folder, word):
        folder.mkdir()
        Tokenizer(WordLevel({word: 0}, unk_token=word)).save(str(folder / "tokenizer.json"))
        return folder

    store = write_store(run.losses)
    assert token_text(store, open_losses(store)[1]) is None
    write(run.path / "checkpoint-1", "run")
    assert token_text(store, open_losses(store)[1]).text([0]) == "run"
    own = write(tmp_path / "own", "own")
    named = write_store(tmp_path / "named.zarr", tokenizer_path=str(own))
    assert token_text(named, open_losses(named)[1]).text([0]) == "own"
    asked = write(tmp_path / "asked", "asked")
    assert token_text(named, open_losses(named)[1], str(asked)).text([0]) == "asked"
    (asked / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match="not a tokenizer"):
        token_text(named, open_losses(named)[1], str(asked))
