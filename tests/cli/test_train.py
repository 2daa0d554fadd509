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
    assert exit_code == 0, err
    assert len(out.splitlines()) <= 24
    assert f"loss {run['final_loss']:.3f}" in out
    assert "zerosum report run" in out


def test_a_name_and_changes_choose_the_folder(call, sets, tmp_path):
    for more, folder in (
        (("tiny_25k", *sets, "--set", "name=a"), "a"),
        (("tiny_25k", *sets, "--set", "name=../b c", "--seed", "3"), "b-c-seed3"),
        (("tiny_25k", *sets, "--set", "name=.."), "run"),
    ):
        assert call("train", *more)[0] == 0
        assert (tmp_path / "runs" / folder / "checkpoint-6").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_a_recipe_file_is_what_show_prints(call, sets, tmp_path):
    exit_code, out, _ = call("train", "--show", "tiny_25k", *sets, "--set", "optimizer.kind=sgd")
    assert exit_code == 0, err
    assert yaml.safe_load(out)["optimizer"]["kind"] == "sgd"
    (tmp_path / "mine.yaml").write_text(out)
    assert call("train", "mine.yaml", "--out", "run")[0] == 0
    written = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert written == yaml.safe_load(out)


def test_the_list_fits_a_screen(call):
    exit_code, out, _ = call("train", "--list", columns=80)
    assert exit_code == 0, err
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
        (["tiny_25k", "--set", "model.num_key_value_heads=2"], "model: its sizes do not fit each other"),
        (["tiny_25k", "--set", "model.vocab_size=9"], "the data have 257 token ids"),
        (["tiny_25k", "--set", "seed=1", "--seed", "1"], "--seed and --set seed=... exclude each other"),
        (["tiny_25k", "--branch", "runs/a@1"], "--branch and RECIPE exclude each other"),
        (["--branch", "runs/a@1", "--from", "b"], "--branch and --from exclude each other"),
        (["--branch", "runs/a@1", "--data", "b"], "--branch and --data exclude each other"),
        (["tiny_25k", "--from", "b", "--set", "model.hidden_size=8"], "--from and --set model... exclude each other"),
        (["tiny_25k", "--data", "b", "--set", "data.folder=c"], "exclude each other"),
        (["tiny_25k", "--cooldown", "20%"], "--cooldown: only with --branch"),
        (["--branch", "a@1", "--cooldown", "20%", "--set", "steps=3"], "exclude each other"),
        (["--branch", "a@1", "--cooldown", "0"], "a/recipe.yaml: cannot be read as a recipe"),
        (["--branch", "runs/a"], "--branch runs/a: not RUN@STEP"),
        (["tiny_25k", "--from", "nowhere"], "nowhere: "),
        (["tiny_25k", "--data", "nowhere.txt"], "nowhere.txt: no such file"),
        (["paper_14m"], "data/c4: "),
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


def test_a_wrong_recipe_is_an_error_in_json(call):
    exit_code, out, err = call("train", "tiny_26k", "--json")
    assert exit_code == 2
    (error,) = one_document(out)["errors"]
    assert error["source"] == "tiny_26k"
    assert error["message"] in err


def test_the_log_goes_to_a_tracker(call, sets, tmp_path):
    pytest.importorskip("tensorboard")
    assert call("train", "tiny_25k", *sets, "--out", "run", "--track", "tensorboard")[0] == 0
    assert list((tmp_path / "run").rglob("events.out.tfevents.*"))
    assert "Invalid value for '--track'" in call("train", "tiny_25k", *sets, "--track", "paper")[2]


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


def test_a_branch_cools_down_and_a_start_takes_weights(call, sets, tmp_path):
    assert call("train", "tiny_25k", *sets, "--out", "run")[0] == 0
    branch = ("train", "--branch", "run@4")
    exit_code, out, err = call(*branch, "--cooldown", "50%", "--out", "cooled", "--json")
    assert exit_code == 0, err
    (run,) = one_document(out)["runs"]
    assert (run["steps"], run["tokens_seen"], run["resumed_from"]) == (6, 96, None)
    rates = [json.loads(line)["lr"] for line in (tmp_path / "cooled" / "metrics.jsonl").read_text().splitlines()]
    assert rates == pytest.approx([0.0007 * 2 / 3, 0.0007 / 3])

    assert call(*branch, "--set", "steps=8", "--set", "optimizer.lr=1e-3", "--out", "longer")[0] == 0
    written = yaml.safe_load((tmp_path / "longer" / "recipe.yaml").read_text())
    assert (written["steps"], written["optimizer"]["lr"]) == (8, 0.001)
    assert written["start"] == {"checkpoint": "run/checkpoint-4", "branch": True, "step": 4, "tokens": 64}

    for share in ("0", "101%", "-5%", "half", "20 %%"):
        exit_code, _, err = call(*branch, "--cooldown", share)
        assert (exit_code, err.count("\n")) == (2, 1)
        assert f"--cooldown {share}: not a share" in err

    same = [option for option in sets if "hidden_size" not in option and option != "--set"]
    again = [option for change in same for option in ("--set", change)]
    assert call("train", "tiny_25k", *again, "--from", "run/checkpoint-4", "--out", "new")[0] == 0
    first, second = (tmp_path / folder / "model.safetensors" for folder in ("run/checkpoint-4", "new/checkpoint-0"))
    assert first.read_bytes() == second.read_bytes()


def test_small_texts_are_tokenized_into_the_run(call, sets, code, tmp_path):
    own = [option for change in sets[1::2] if "data." not in change for option in ("--set", change)]
    exit_code, out, err = call("train", "tiny_25k", *own, "--data", code, "--set", "held_out=2", "--json")
    assert exit_code == 0, err
    (run,) = one_document(out)["runs"]
    assert run["out"].startswith("runs/tiny_25k-data=code0-steps=6")
    assert run["held_out_loss"] > 0
    assert (tmp_path / run["out"] / "tokens" / "index.json").is_file()
    tokens = tmp_path / run["out"] / "tokens"
    again = one_document(call("train", "tiny_25k", *own, "--data", tokens, "--out", "run", "--json")[1])["runs"][0]
    assert again["final_loss"] == run["final_loss"]
    cut = ("--data", tokens, "--set", "data.packing=cut", "--out", "cut")
    assert call("train", "tiny_25k", *own, *cut)[0] == 0
    assert "packing: cut" in (tmp_path / "cut" / "recipe.yaml").read_text()
    assert call("losses", "cut", "--data", tokens)[0] == 0

    (tmp_path / "one.txt").write_text("only one document " * 40)
    exit_code, out, err = call("train", "tiny_25k", *own, "--data", "one.txt", "--out", "single", "--json")
    assert exit_code == 0, err
    assert "nothing is held out" in err
    assert one_document(out)["runs"][0]["held_out_loss"] is None


def test_only_the_first_process_speaks(call, sets, monkeypatch):
    monkeypatch.setattr("zerosum.cli.train._PATIENCE", 0.0)
    monkeypatch.setenv("RANK", "1")
    assert call("train", "tiny_25k", *sets) == (0, "", "")
    for wrong in ("model.vocab_size=9", "optimizer.lrr=1"):
        assert call("train", "tiny_25k", *sets, "--set", wrong) == (2, "", "")
