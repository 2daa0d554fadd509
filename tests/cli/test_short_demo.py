"""The demo's own recipe, its first 256 steps: what it shows before the break. All of it: tests/long/check_demo.py."""

import pytest

pytest.importorskip("torch")

from zerosum.cli._demo_runs import _train_and_measure, document, run_folder
from zerosum.curves import read_curve
from zerosum.recipes import demo_suite
from zerosum.show.report import Report
from zerosum.tokens import ngrams


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """Folder and JSON of the run of the smallest model."""
    recipe = demo_suite()[0].model_copy(update={"steps": 256})
    folder = run_folder(tmp_path_factory.mktemp("demo"), recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "COUNTED", 1 << 20)
        run = _train_and_measure((folder, recipe, False), lambda *news: None)
    return folder, document(Report("demo", (run,)))["runs"][0]


def test_tokens_do_not_cancel_in_the_first_steps(short):
    pairs = [pair for pair in short[1]["double"] if pair["to_step"] <= 8]
    assert len(pairs) == 3
    for pair in pairs:
        assert pair["D"] < 0.15
        assert pair["N"] >= 16_000
        assert pair["interval"]["D"][1] < 0.2


def test_the_held_out_loss_is_the_curve_and_the_page_says_so(short):
    folder, document = short
    curve = read_curve(folder)
    assert document["fit"]["columns"]["loss"] == "held_out_loss"
    assert len(curve) >= 50
    assert any("held-out text" in note for note in curve.cleaning)
    measured = document["final_loss"]  # of 256 sequences; the log's is of the first 128 of them
    assert curve.loss[-1] == pytest.approx(measured, rel=0.05)


def test_the_ladder_of_the_text_is_recorded(short):
    losses = [rung["loss"] for rung in short[1]["ngrams"]["rungs"]]
    assert losses == sorted(losses, reverse=True)
    assert losses[1] == pytest.approx(2.6, rel=0.08)
