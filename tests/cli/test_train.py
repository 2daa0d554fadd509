"""`zerosum train`: trains, continues, answers in words and as JSON, and refuses a wrong call in one line."""

import json
import shutil

import pytest
import yaml
from called import one_document

pytest.importorskip("torch")
KEYS = {
    *("name", "out", "n_params", "steps", "tokens_seen", "final_loss", "held_out_loss"),
    *("seconds", "tokens_per_second", "resumed_from"),
}


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    for number in range(40):
        (folder / f"{number}.py").write_text(f"def f{number}():\n    return {number}\n" * (number + 5))
    return folder


@pytest.fixture
def sets(code, tmp_path, monkeypatch):
    """Options that make tiny_25k a matter of milliseconds."""
    monkeypatch.chdir(tmp_path)
    changes = ("steps=6", "model.hidden_size=8", "batch.sequences=2", "batch.length=8", f"data.folder={code}")
    return [option for change in changes for option in ("--set", change)]


def test_trains_and_says_what_it_reached(call, sets, tmp_path):
    exit_code, out, err = call("train", "tiny_25k", *sets, "--out", "run", "--json")
    assert exit_code == 0, err
    document = one_document(out)
    (run,) = document["runs"]
    assert document["errors"] == []
    assert set(run) >= KEYS
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert run["final_loss"] == rows[-1]["loss"]
    assert run["tokens_seen"] == 6 * 16
    assert run["steps"] == len(rows) == 6
    assert run["tokens_per_second"] > 0
    assert run["resumed_from"] is None
    assert all(run[f"{key}_reason"] for key in KEYS if run[key] is None)
    assert "done in" in err

    # A second call finds a finished run; a run that lost its end continues.
    again = one_document(call("train", "tiny_25k", *sets, "--out", "run", "--json")[1])["runs"][0]
    assert (again["resumed_from"], again["tokens_per_second"], again["final_loss"]) == (6, None, run["final_loss"])
    shutil.rmtree(tmp_path / "run" / "checkpoint-6")
    resumed = one_document(call("train", "tiny_25k", *sets, "--out", "run", "--json")[1])["runs"][0]
    assert (resumed["resumed_from"], resumed["final_loss"]) == (4, run["final_loss"])

    exit_code, out, _ = call("train", "tiny_25k", *sets, "--out", "run", columns=80)
    assert exit_code == 0
    assert len(out.splitlines()) <= 24
    assert f"loss {run['final_loss']:.3f}" in out
    assert "zerosum fit run" in out


def test_a_name_and_changes_choose_the_folder(call, sets, tmp_path):
    for more, folder in (
        (("tiny_25k", *sets, "--set", "name=a"), "a"),
        (("tiny_25k", *sets, "--set", "name=../b c", "--seed", "3"), "..-b-c-seed3"),
    ):
        assert call("train", *more)[0] == 0
        assert (tmp_path / "runs" / folder / "checkpoint-6").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_recipe_file_is_what_show_prints(call, sets, tmp_path):
    exit_code, out, _ = call("train", "--show", "tiny_25k", *sets, "--set", "optimizer.kind=sgd")
    assert exit_code == 0
    assert yaml.safe_load(out)["optimizer"]["kind"] == "sgd"
    (tmp_path / "mine.yaml").write_text(out)
    assert call("train", "mine.yaml", "--out", "run")[0] == 0
    written = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert written == yaml.safe_load(out)


def test_the_list_fits_a_screen(call):
    exit_code, out, _ = call("train", "--list", columns=80)
    assert exit_code == 0
    assert len(out.splitlines()) <= 24
    assert all(name in out for name in ("paper_14m", "paper_472m", "tiny_25k", "tiny_1m", "14,319,616", "adamw"))
    document = one_document(call("train", "--list", "--json")[1])
    assert {"name", "n_params", "steps", "tokens", "optimizer"} <= document["recipes"][0].keys()
    assert "tiny_25k_cosine" in {recipe["name"] for recipe in document["recipes"]}
    assert "tiny_25k_cosine" in call("train", "--list", "--details")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no recipe"),
        (["tiny_26k"], "tiny_26k: not known. Did you mean tiny_25k?"),
        (["tiny_25k", "--set", "optimizer.lrr=1"], "optimizer.lrr: not known. Did you mean lr?"),
        (["tiny_25k", "--set", "model.hiden_size=1"], "model.hiden_size: not known. Did you mean hidden_size?"),
        (["tiny_25k", "--set", "model.num_attention_heads=3"], "model: "),
        (["tiny_25k", "--set", "model.vocab_size=9"], "the data have 257 token ids"),
        (["tiny_25k", "--set", "seed=1", "--seed", "1"], "exclude each other"),
        (["tiny_25k", "--list"], "--list: trains nothing"),
        (["tiny_25k", "--show", "--json"], "--show: trains nothing"),
        (["/dev/null/a.yaml"], "/dev/null/a.yaml: cannot be read as a recipe"),
        (["tiny_25k", "--out", "/dev/null/run"], "/dev/null/run: cannot be written"),
    ],
)
def test_a_wrong_call_is_one_line(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    exit_code, out, err = call("train", *arguments)
    assert exit_code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_another_recipe_is_refused_with_the_difference(call, sets):
    assert call("train", "tiny_25k", *sets, "--out", "run")[0] == 0
    exit_code, out, err = call("train", "tiny_25k", *sets, "--out", "run", "--set", "optimizer.lr=0.5", "--json")
    assert exit_code == 2
    assert "optimizer.lr: 0.0007, not 0.5" in err
    assert one_document(out)["errors"][0]["message"] in err


def test_too_little_disk_is_refused_before_anything_is_written(call, sets, tmp_path, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    exit_code, _, err = call("train", "tiny_25k", *sets)
    assert exit_code == 2
    assert "0 MB free, about" in err
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_process_speaks(call, sets, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert call("train", "tiny_25k", *sets) == (0, "", "")
    assert call("train", "tiny_25k", *sets, "--set", "model.vocab_size=9") == (2, "", "")
