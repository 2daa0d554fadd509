"""Every verb that measures a run works on what `zerosum train` writes, for recipes of several model families."""

import pytest
from called import one_document

pytest.importorskip("torch")
DATA = ("--data", "held.txt", "--max-sequences", "6", "--sequence-length", "8")


@pytest.fixture
def texts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, first in (("train.txt", 0), ("held.txt", 500)):
        documents = (f"number {k}: {'a word and ' * (k % 7 + 1)}" for k in range(first, first + 60))
        (tmp_path / name).write_text("<|endoftext|>".join(documents))


@pytest.mark.parametrize("recipe", ["tiny_25k", "tiny_25k_gpt2"])
def test_the_run_of_a_recipe_is_measured_and_reported(call, texts, blank_figures, tmp_path, recipe):
    def document(*arguments):
        exit_code, out, err = call(*arguments, "--json")
        assert exit_code == 0, err
        return one_document(out)

    small = [f"--set={change}" for change in ("steps=4", "batch.sequences=2", "batch.length=16")]
    run = document("train", recipe, *small, "--data", "train.txt", "--out", "run")["runs"][0]
    assert run["held_out_loss"] == pytest.approx(run["final_loss"], abs=1)

    losses = document("losses", "run", *DATA)["runs"][0]["checkpoints"]
    assert [checkpoint["step"] for checkpoint in losses] == [0, 1, 2, 4]
    pairs = document("interference", "run")["pairs"]
    assert all(0 <= pair["D"] <= 1 for pair in pairs)
    assert len(pairs) == 2
    assert 0 < document("gradients", "run/checkpoint-4", *DATA)["checkpoints"][0]["D_grad"] < 1
    step = document("step", "run/checkpoint-4", "--train", "train.txt", *DATA, "--batches", "1")["steps"][0]
    assert step["optimizer"]["state"] == "training_state.pt"
    page = document("report", "run", "--out", "page")
    assert (tmp_path / "page" / "report.html").stat().st_size > 10_000
    assert page["errors"] == []
