"""The script for the day a GPU is there: its dry run on the CPU, and what it says where something goes wrong."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from pretend_gpu import pretended_gpu  # noqa: E402

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))
gpu, paths = importlib.import_module("gpu"), importlib.import_module("gpu_paths")


def rows(text):
    """The rows of the table, as cells by the name of the column."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Time enough for every check on a busy machine."""
    monkeypatch.setattr(gpu, "CHECKS", [replace(check, seconds=600) for check in gpu.CHECKS])


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
        return slow(place, S, T) if (S, T) == (4, 8) else lambda: {"loss": 1.0}

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
    for shape, name in zip(gpu.SHAPES, ("14M", "144M", "472M"), strict=True):
        assert round((shape.body + shape.V * shape.d) / 1e6) == int(name.removesuffix("M"))


def test_without_a_gpu_it_says_so(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 2
    assert "--tiny" in capsys.readouterr().err


@pytest.mark.long  # the dry run makes the same table, on the CPU
def test_the_script_runs_on_a_pretended_gpu(capsys, monkeypatch):
    float32 = [replace(check, tolerance={"float32": check.tolerance["float32"]}) for check in gpu.CHECKS]
    monkeypatch.setattr(gpu, "CHECKS", float32)  # autocast for CUDA does nothing on the CPU
    monkeypatch.setattr(gpu, "SHAPES", [replace(gpu.TINY[0], length=6)])
    monkeypatch.setattr(gpu, "matmul_rate", lambda *_: 1e12)
    monkeypatch.setattr(gpu.Table, "timed", lambda *_: (["-"] * 5, ""))  # the same work on more tokens
    with pretended_gpu():
        code = gpu.main([])
    table = rows(capsys.readouterr().out)
    assert {row["result"] for row in table} == {"agrees"}, table
    assert code == 0
    assert {row["path"] for row in table} == {check.path for check in gpu.CHECKS}


@pytest.mark.parametrize("mixed", [
    lambda on_gpu: on_gpu + torch.arange(3),
    lambda on_gpu: torch.nn.functional.embedding(torch.tensor([0]), on_gpu[:, None]),
    lambda on_gpu: on_gpu.detach().numpy(),
    lambda on_gpu: np.asarray(on_gpu),
    lambda on_gpu: on_gpu.to(torch.float64) @ torch.as_tensor(np.ones(3)),
    lambda on_gpu: torch.stack([on_gpu, on_gpu.cpu()]),
])  # fmt: skip
def test_the_pretended_gpu_refuses_what_cuda_refuses(mixed):
    with pretended_gpu(), pytest.raises((RuntimeError, TypeError), match=r"same device|convert cuda"):
        mixed(torch.ones(3).to("cuda"))


def test_the_pretended_gpu_allows_what_cuda_allows():
    with pretended_gpu():
        x = torch.ones(3, device="cuda")
        for result in (x * torch.tensor(2.0), x[torch.tensor([0, 1])], x.clone().copy_(torch.zeros(3)), x.new_zeros(2)):
            assert result.device == torch.device("cuda", 0)
        assert torch.zeros(3).to(x).is_cuda
        assert not x.cpu().is_cuda
        assert x.cpu().numpy().tolist() == [1, 1, 1]


def test_without_a_gpu_the_check_of_shared_weights_says_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert importlib.import_module("gpu_fsdp").main() == 2
    assert "no GPU" in capsys.readouterr().err
