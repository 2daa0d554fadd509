"""The demo at its full size.

`zerosum demo` with its own recipes. Every size decelerates past the loss of the bigram model of the text, and its
tokens come to cancel: D is below 0.15 up to step 8, and that of the last doubling (16,384 to 32,768) is at least 0.1
above that of the doubling that ends at 2,048, outside its interval. minutes: of the whole command on this machine.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

SEEDS = "0"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Document], float]:
    """Its runs, and minutes of the command."""
    out = tmp_path_factory.mktemp("demo") / "out"
    began = time.monotonic()
    command = [sys.executable, "-m", "zerosum", "demo", "--json", "--out", str(out)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=3_000)
    assert process.returncode == 0, process.stderr
    assert Path(out, "report.html").is_file()
    return json.loads(process.stdout)["runs"], (time.monotonic() - began) / 60


def interval(value: float, ends: list[float] | None, places: int) -> str:
    """A value with its interval."""
    return f"{value:,.{places}f}" + ("" if ends is None else f" [{ends[0]:,.{places}f}, {ends[1]:,.{places}f}]")


def early(run: Document) -> list[Document]:
    """Doublings that end at step 8 or sooner."""
    return [pair for pair in run["double"] if pair["to_step"] <= 8]


def before(run: Document) -> Document:
    """The last doubling well ahead of the break."""
    return next(pair for pair in run["double"] if pair["to_step"] == 2_048)


def test_every_size_decelerates_past_the_bigram_model_and_its_tokens_come_to_cancel(demo, table, whole) -> None:
    """All rows first, then what they have to show."""
    runs, minutes = demo
    for run in runs:
        fit, last = run["fit"], run["double"][-1]
        table.add(
            model=run["name"],
            verdict=fit["verdict"],
            t_d=interval(fit["t_d"], fit["intervals"].get("t_d"), 0),
            L_d=interval(fit["L_d"], fit["intervals"].get("L_d"), 2),
            r_d=interval(fit["r_d"], fit["intervals"].get("r_d"), 3),
            reasons=", ".join(reason["code"] for reason in fit["reasons"]) or "none",
            D_early=f"{max(pair['D'] for pair in early(run)):.2f}",
            D_before=interval(before(run)["D"], before(run)["interval"]["D"], 2),
            D_of_the_last_doubling=interval(last["D"], last["interval"]["D"], 2),
            minutes_of_the_demo=f"{minutes:.1f}",
        )
    assert len(runs) == 3
    for run in runs:
        decelerates(run)
        cancels(run)


def decelerates(run: Document) -> None:
    """A break inside the run, well past the bigram model."""
    fit = run["fit"]
    assert fit["verdict"] == "decelerates", fit["reasons"]
    low, high = fit["intervals"]["t_d"]
    assert fit["first_step"] < low < fit["t_d"] < high < run["steps"]
    assert fit["r_d"] < 0.7 * fit["params"]["c0"]
    bigram = run["ngrams"]["rungs"][1]["loss"]
    assert fit["intervals"]["L_d"][1] < bigram


def cancels(run: Document) -> None:
    """Tokens move together at first, and against each other more after the break than before it."""
    last = run["double"][-1]
    assert len(early(run)) == 3
    for pair in early(run):
        assert pair["D"] < 0.15
        assert pair["N"] == last["N"] >= 16_000
    assert last["D"] - before(run)["D"] >= 0.1
    assert last["interval"]["D"][0] > before(run)["interval"]["D"][1]
