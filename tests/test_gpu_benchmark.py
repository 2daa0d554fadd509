"""The script for the day a GPU is there: its dry run on the CPU, and what it says where something goes wrong."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
gpu, paths = importlib.import_module("gpu"), importlib.import_module("gpu_paths")


def rows(text):
    """The rows of the table, as cells by the name of the column."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]


@pytest.fixture
def one_shape(monkeypatch):
    monkeypatch.setattr(gpu, "TINY", gpu.TINY[:1])


def test_the_dry_run_has_every_path(capsys, one_shape):
    assert gpu.main(["--tiny"]) == 0
    table = rows(capsys.readouterr().out)
    assert {row["path"] for row in table} == {check.path for check in gpu.CHECKS if 0 in check.shapes}
    for row in table:
        assert row["result"] == "agrees", row
        assert float(row["tokens/s"].replace(",", "")) > 0
        rounded = row["dtype"] == "bfloat16" and row["path"] != "train, resumed"
        assert (float(row["largest difference"]) > 0) == rounded, row


def test_a_difference_and_an_error_are_rows_and_the_others_go_on(capsys, monkeypatch, one_shape):
    def off(place, S, T):
        shift = 0.0 if place.model is seen.setdefault("first", place.model) else 0.01
        return lambda: {"loss": [1.0, 2.0 + shift]}

    def full(place, S, T):
        raise torch.OutOfMemoryError("CUDA out of memory | GPU 0")

    def slow(place, S, T):
        while True:
            pass

    def slow_when_timed(place, S, T):
        return slow(place, S, T) if (S, T) == (4, 10) else lambda: {"loss": 1.0}

    seen = {}
    check = replace(gpu.CHECKS[0], tolerance={"float32": (1e-3, "a")}, seconds=0.2)
    made = {"off": off, "full": full, "slow": slow, "slow when timed": slow_when_timed, "losses": paths.losses}
    monkeypatch.setattr(gpu, "CHECKS", [replace(check, path=name, work=work) for name, work in made.items()])
    assert gpu.main(["--tiny"]) == 1
    out = capsys.readouterr().out
    memory, time = "OutOfMemoryError: CUDA out of memory / GPU 0", "TimeoutError: longer than 0 s"
    assert {row["path"]: row["result"] for row in rows(out)} == {
        "off": "FAILED: differs",
        "full": f"FAILED: {memory}; not timed: {memory}",
        "slow": f"FAILED: {time}; not timed: {time}",
        "slow when timed": f"agrees; not timed: {time}",
        "losses": "agrees",
    }
    assert "3 comparisons failed." in out


def test_numbers_that_are_missing_on_one_side_differ():
    nan = float("nan")
    assert gpu.largest_difference({"x": [1, nan]}, {"x": [1.5, nan]}, relative=False) == 0.5
    assert gpu.largest_difference({"x": [1, nan]}, {"x": [2, nan]}, relative=True) == 0.5
    for mine, theirs in [([1, nan], [1, 2]), ([1, 2], [1, nan]), ([nan, nan], [nan, nan])]:
        assert gpu.largest_difference({"x": mine}, {"x": theirs}, relative=False) == float("inf")


def test_sizes_of_the_shapes_are_the_names():
    for shape, name in zip(gpu.SHAPES, ("14M", "472M", "144M"), strict=True):
        assert round((shape.body + shape.V * shape.d) / 1e6) == int(name.removesuffix("M"))


def test_without_a_gpu_it_says_so(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert "--tiny" in capsys.readouterr().err
