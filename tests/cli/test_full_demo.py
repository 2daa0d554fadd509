"""What the demo promises to show, on the demo itself: every size decelerates, and its tokens come to cancel."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("torch")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-c", "from zerosum.cli import main; main()", "demo", "--json", "--out", str(out)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=1_500)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)["runs"]


def test_three_sizes_decelerate(runs):
    assert len(runs) == 3
    for run in runs:
        assert run["fit"]["verdict"] == "decelerates", run["fit"]["reasons"]
        low, high = run["fit"]["intervals"]["t_d"]
        assert run["fit"]["first_step"] < low < run["fit"]["t_d"] < high < run["steps"]
        assert run["fit"]["r_d"] < 0.7 * run["fit"]["params"]["c0"]


def test_tokens_cancel_after_the_break_and_not_before(runs):
    """Before: doublings that end at step 128 or sooner, all of them ahead of t_d."""
    for run in runs:
        before = [pair for pair in run["double"] if pair["to_step"] <= min(128, run["fit"]["t_d"])]
        assert len(before) >= 6
        last = run["double"][-1]
        for pair in before:
            assert pair["D"] < 0.15
            assert last["D"] - pair["D"] >= 0.3
            assert last["interval"]["D"][0] > pair["interval"]["D"][1]
            assert pair["N"] == last["N"] >= 16_000
