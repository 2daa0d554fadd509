"""The first study: its declarations can be read, its results belong to them, and its text says what its tables do."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from zerosum.bench.known import FILE as RUNS
from zerosum.bench.known import read_known
from zerosum.bench.reading import FILE, read_declaration

STUDY = Path(__file__).parents[2] / "docs" / "studies" / "first"
TEXT = (STUDY / "README.md").read_text("utf-8")
ARMS = {"muon": "Muon", "ademamix": "AdEMAMix", "placebo": "placebo"}
LONG = ARMS | {
    "muon": "Muon (second rate too low)",
    "ademamix": "AdEMAMix (b2 0.999)",
    "cautious": "Cautious AdamW",
    "reweighting": "reweighting",
    "half-rate": "half rate",
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


def test_the_text_has_the_numbers_of_six_seeds() -> None:
    for row in rows_of("six-seeds", ARMS):
        cells = cells_of(f"| {WIDTHS[row['size']]} | {ARMS[row['arm']]} |")
        assert cells[2:4] == [f"{float(row['best_lr']):.3g}", written(row, "loss", 4)]
        assert cells[4] == later_seeds(row)
        assert cells[5:7] == movement("six-seeds", row)
        assert cells[7].startswith(row["verdict"].replace("-", " "))
        assert cells[7].endswith(f"(p = {float(row['p']):.2g})")


def test_the_text_has_the_numbers_of_the_longer_runs() -> None:
    for row in rows_of("25k", LONG):
        cells = cells_of(f"| {LONG[row['arm']]} | {written(row, 'loss', 4)} |")
        assert cells[3:5] == [cell.replace("-0.000 ", "0.000 ") for cell in movement("25k", row)]
        assert cells[5].startswith(row["verdict"].replace("-", " "))


def rows_of(cell: str, arms: dict[str, str]) -> list[dict[str, str]]:
    return [row for row in csv.DictReader((STUDY / cell / "bench.csv").open()) if row["arm"] in arms]


def cells_of(start: str) -> list[str]:
    return next(line for line in TEXT.splitlines() if line.startswith(start)).strip("| ").split(" | ")


def movement(cell: str, row: dict[str, str]) -> list[str]:
    """Over the main interval: of averaged weights, and of those of single steps."""
    moved = csv.DictReader((STUDY / cell / "bench-movement.csv").open())
    own = [one for one in moved if (one["main"], one["size"], one["arm"]) == ("True", row["size"], row["arm"])]
    return [written(one, "M_per_nat", 3) for one in sorted(own, key=lambda one: one["weights"])]


def later_seeds(row: dict[str, str]) -> str:
    """Mean and t interval of the seeds that were not seen when the arms were chosen."""
    sizes = json.loads((STUDY / "six-seeds" / "answer.json").read_text("utf-8"))["sizes"]
    arms = next(size["arms"] for size in sizes if size["size"]["name"] == row["size"])
    loss = next(arm["differences"]["loss"] for arm in arms if arm["name"] == row["arm"])
    later = np.array([d for seed, d in zip(loss["seeds"], loss["differences"], strict=True) if seed >= 3])
    low, high = stats.t.interval(0.95, len(later) - 1, later.mean(), stats.sem(later))
    return written({"loss": later.mean(), "loss_low": low, "loss_high": high}, "loss", 4)


def written(row: Mapping[str, str | float], name: str, places: int) -> str:
    value, low, high = (f"{float(row[key]):+.{places}f}" for key in (name, f"{name}_low", f"{name}_high"))
    return f"{value} [{low}, {high}]"
