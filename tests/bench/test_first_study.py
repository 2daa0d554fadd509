"""The first study: its declarations can be read, its results belong to them, and its text says what its tables do."""

import csv
from pathlib import Path

import pytest

from zerosum.bench.known import FILE as RUNS
from zerosum.bench.known import read_known
from zerosum.bench.reading import FILE, read_declaration

STUDY = Path(__file__).parents[2] / "docs" / "studies" / "first"
TEXT = (STUDY / "README.md").read_text("utf-8")
ARMS = {
    "muon": "Muon",
    "ademamix": "AdEMAMix",
    "short-warm-up": "AdamW, warm-up 64",
    "muon-short-warm-up": "Muon, warm-up 64",
    "placebo": "placebo",
}
WIDTHS = {"25k": 32, "100k": 96}


@pytest.mark.parametrize("name", ["25k", "others", "robustness", "sizes", "warm-up", "six-seeds"])
def test_results_are_those_of_the_declaration(name: str) -> None:
    declaration = read_declaration(STUDY / f"{name}.yaml")
    known = read_known(STUDY / name / RUNS, declaration)
    assert len({run.text for run in known.values()}) == 1
    if (STUDY / name / FILE).exists():
        assert read_declaration(STUDY / name / FILE).hash == declaration.hash


def test_six_seeds_continue_the_warm_up_cell() -> None:
    six, three = (read_declaration(STUDY / f"{name}.yaml") for name in ("six-seeds", "warm-up"))
    assert (six.recipes, len(six.seeds)) == (three.recipes, 6)
    assert all(three.arms[name] == changes for name, changes in six.arms.items())


def test_the_text_has_the_numbers_of_the_tables() -> None:
    rows = list(csv.DictReader((STUDY / "warm-up" / "bench.csv").open()))
    for row in (row for row in rows if row["arm"] in ARMS):
        loss = written(row, "loss", 4)
        assert f"| {WIDTHS[row['size']]} | {ARMS[row['arm']]} | {float(row['best_lr']):.3g} | {loss} |" in TEXT
    moved = csv.DictReader((STUDY / "warm-up" / "bench-movement.csv").open())
    for row in (row for row in moved if row["main"] == "True" and row["arm"] in ARMS):
        line = next(line for line in TEXT.splitlines() if f"| {WIDTHS[row['size']]} | {ARMS[row['arm']]} |" in line)
        assert written(row, "M_per_nat", 3) == line.split(" | ")[4 if row["weights"] != "raw" else 5].rstrip(" |")


def written(row: dict[str, str], name: str, places: int) -> str:
    value, low, high = (f"{float(row[key]):+.{places}f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} [{low}, {high}]"
