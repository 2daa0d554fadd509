"""A verb with its own measurement costs four files: measurement, section, verb, docs."""

import csv
import json
from itertools import pairwise
from pathlib import Path

TOYS = Path(__file__).parent / "toys"
FILES = ("measurement.py", "verb_section.py", "verb.py", "verb.md")
LAW = [(step, 30 * step**-0.25) for step in range(1, 400)]


def test_a_verb_is_four_files(house, tmp_path):
    log, out = tmp_path / "=run.csv", tmp_path / "out"
    log.write_text("step,loss\n" + "".join(f"{step},{loss}\n" for step, loss in LAW))
    jumps = [before[1] - after[1] for before, after in pairwise(LAW)]
    house.run("roughness", log, code=2)
    for toy, place in zip(
        FILES, ("deceleration/roughness.py", "show/sections/roughness.py", "cli/roughness.py", "docs.md"), strict=True
    ):
        house.add(toy, place)
    assert "roughness" in house.run("--help")
    assert "--details" in house.run("roughness", "--help")
    answer = house.run("roughness", log, "--out", out)
    assert "is the roughest" in answer
    assert f"{len(jumps)}" in answer
    (curve,) = json.loads(house.run("roughness", log, "--json"))["curves"]
    assert curve["jump"].keys() == {"value", "interval", "N", "unit", "reason"}
    assert abs(curve["jump"]["value"] - sum(jumps) / len(jumps)) < 1e-12
    (row,) = csv.DictReader((out / "roughness.csv").open())
    assert (row["run"], row["N"]) == ("'=run", str(len(jumps)))
    assert float(row["jump_low"]) < float(row["jump"]) < float(row["jump_high"])
    assert r"\begin{tabular}" in (out / "roughness.tex").read_text()
    assert "is the roughest" in (out / "report.html").read_text()
    assert json.loads((out / "roughness.json").read_text()) == [curve]


def test_the_verb_is_under_150_lines():
    assert sum(len((TOYS / file).read_text().splitlines()) for file in FILES) < 150
