"""What costs one file: drop it into a copy of the source, and command line, JSON and page have it."""

import json

import numpy as np
import pytest
from tiny import falling_losses, losses

LAW = [(step, 30 * step**-0.25 * (1 + (step / 800) ** 5) ** 0.04) for step in range(1, 4000, 7)]


def test_a_log_format_is_one_file(house, tmp_path):
    log = tmp_path / "toy.log"
    log.write_text("hello\n" + "".join(f"<<{step}>> nats={loss:.6f}\n" for step, loss in LAW))
    house.run("curves", log, "--json", code=2)
    house.add("log_format.py", "curves/formats/toy_log.py")
    (curve,) = json.loads(house.run("curves", log, "--json"))["curves"]
    assert (curve["format"], curve["n_points"]) == ("toy log", len(LAW))
    assert json.loads(house.run("fit", log, "--json"))["curves"][0]["format"] == "toy log"


def test_a_section_is_one_file(house, tmp_path):
    log, out = tmp_path / "run.csv", tmp_path / "out"
    log.write_text("step,loss\n" + "".join(f"{step},{loss}\n" for step, loss in LAW))
    house.add("section.py", "show/sections/medians.py")
    assert "losses above their median" in house.run("fit", log, "--out", out, "--details")
    page = (out / "report.html").read_text()
    assert 'id="medians"' in page
    assert f"{len(LAW) // 2} losses above their median" in page
    assert (out / "medians.csv").read_text() == f"run,above_median\nrun,{len(LAW) // 2}\n"
    assert (out / "medians.tex").is_file()
    assert {file.suffix for file in (out / "figures").glob("medians.*")} == {".svg", ".pdf", ".csv"}


def test_a_grouping_is_one_file(house, tmp_path):
    loss, _ = falling_losses((1, 2))
    losses(loss, (1, 2), folder=tmp_path / "losses.zarr")
    command = ("interference", tmp_path / "losses.zarr", "--by", "parity", "--json")
    house.run(*command, code=2)
    house.add("grouping.py", "interference/labelled/groupings/parity.py")
    (pair,) = json.loads(house.run(*command))["pairs"]
    groups = {group["name"]: group for group in pair["groups"]}
    assert groups.keys() == {"even", "odd"}
    change = np.diff(loss.astype(np.float32).astype(float), axis=0)[0]
    for name, first in (("odd", 0), ("even", 1)):
        x = change[:, first::2]
        assert (groups[name]["N"], groups[name]["R"]) == (x.size, pytest.approx(x.sum() / np.abs(x).sum()))
