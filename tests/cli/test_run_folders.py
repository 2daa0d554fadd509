"""Run folders as they may be: with names that a terminal would obey, and with a checkpoint that is half written."""

import re
import shutil

import pytest
from called import HOSTILE_NAME, call, one_document
from tiny import save_checkpoint, tiny_model

__all__ = ["call"]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")
VERBS = {
    "losses": ("--data", "{run}/ids.npy"),
    "gradients": ("--data", "{run}/ids.npy", "--max-sequences", 2),
    "dissent": ("--data", "{run}/ids.npy", "--max-sequences", 2),
    "interference": (),
    "report": (),
    "step": ("--data", "{run}/ids.npy", "--train", "{run}/train.npy", "--batches", 1),
}


@pytest.fixture(scope="module")
def hostile(trained_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / HOSTILE_NAME
    shutil.copytree(trained_run, folder)
    shutil.rmtree(folder / "checkpoint-4")
    (folder / "checkpoint-2").rename(folder / "checkpoint-2\x1b[7m-step2")
    (folder / "checkpoint-8\x1b[7m-step8").mkdir()
    return folder


@pytest.mark.parametrize("verb", VERBS)
def test_no_name_reaches_the_terminal_as_it_is(call, hostile, verb):
    source = hostile / "checkpoint-1" if verb == "step" else hostile
    given = [str(word).format(run=hostile) for word in VERBS[verb]]
    for more in ((), ("--data", f"{hostile}/none\x1b[2J"), ("--\x1b[2J",)):
        code, out, err = call(verb, source, *given, *more)
        assert code == 2 or "--\x1b[2J" not in more
        assert not CONTROL.search(out + err), (more, out, err)
        if code:
            assert err


def write_broken_checkpoints(run):
    """One that is empty, one cut off, one with half its settings, and one without a shard: steps 5 to 8."""
    (run / "checkpoint-5").mkdir()
    for step, name in ((6, "model.safetensors"), (7, "config.json")):
        file = save_checkpoint(run, step, tiny_model(seed=step)) / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    shard = shutil.copytree(run / "checkpoint-1", run / "checkpoint-8")
    (shard / "model.safetensors").unlink()
    index = '{"weight_map": {"lm_head.weight": "model-00001-of-00002.safetensors"}}'
    (shard / "model.safetensors.index.json").write_text(index)


@pytest.mark.parametrize("verb", ["losses", "gradients", "dissent"])
def test_half_written_checkpoints_are_listed_and_the_others_are_measured(call, run, verb):
    shutil.rmtree(run / "checkpoint-4")
    write_broken_checkpoints(run)
    code, out, err = call(verb, run, "--data", run / "ids.npy", "--max-sequences", 2, "--json")
    document = one_document(out)
    assert code == 2
    assert err.splitlines()[-1].endswith("sources could not be used; the others are complete.")
    assert [error["source"] for error in document["errors"]] == [
        str(run / f"checkpoint-{step}") for step in range(5, 9)
    ]
    measured = document["runs"][0]["checkpoints"] if verb == "losses" else document["checkpoints"]
    assert [checkpoint["step"] for checkpoint in measured] == [1, 2]


def test_a_run_whose_every_checkpoint_is_broken_is_refused(call, tmp_path):
    (tmp_path / "checkpoint-3").mkdir()
    code, out, err = call("losses", tmp_path, "--data", "x.npy")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "checkpoint-3: no model.safetensors in it" in err
