"""In a plain loop of torch: nothing changes, states continue, and errors end the monitor and not the training."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loops import DATA, PROBE, ROWS, Run, batch_of, continue_run, model_with_dropout, plain_run, same
from tiny import VOCABULARY

import zerosum
from zerosum.interference import measure
from zerosum.losses import token_losses
from zerosum.tokens import TokenSequences


@pytest.fixture(scope="module")
def without() -> Run:
    return plain_run(monitored=False)


def file_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_nothing_changes(without: Run, tmp_path: Path) -> None:
    watched = plain_run(log=tmp_path / "log.jsonl")
    assert same(watched, without)
    measured = [row for row in file_rows(tmp_path / "log.jsonl") if "zerosum/D_step" in row]
    assert [row["step"] for row in measured] == [1, 2, 4, 8, 16]
    assert ["zerosum/D_double" in row for row in measured] == [False, True, True, True, True]
    watched.monitor = None  # without `close`, losses that wait are written when the monitor is gone
    assert zerosum.read_curve(tmp_path / "log.jsonl").step[-1] == 23


def test_values_are_those_of_the_model(tmp_path: Path) -> None:
    rows: dict[int, dict[str, float]] = {}
    model = model_with_dropout()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    monitor = zerosum.Monitor(
        model, PROBE, schedule="every(3)", cost="full", log=lambda row, step: rows.update({step: row})
    )
    losses = {}
    for step in range(7):
        ids = batch_of(step)
        model(input_ids=ids, labels=ids).loss.backward()
        losses[step] = token_losses(model, PROBE), token_losses(model, ids.numpy())
        with monitor.step(step, batch=ids):
            optimizer.step()
        losses[step] += token_losses(model, PROBE), token_losses(model, ids.numpy())
        optimizer.zero_grad()
    assert list(rows) == [3, 6]
    for number in ("D", "R", "M", "delta_L", "null_unit"):
        held_out, batch = (measure(losses[6][place + 2].astype(float) - losses[6][place]) for place in (0, 1))
        double = measure(losses[6][0].astype(float) - losses[3][0])
        for span, expected in {"step": held_out, "batch": batch, "double": double}.items():
            assert rows[6][f"zerosum/{number}_{span}"] == pytest.approx(getattr(expected, number), abs=1e-6)


def test_a_stopped_run_continues(without: Run, tmp_path: Path) -> None:
    options = {"schedule": "log2", "cost": "full", "total_steps": 24}
    whole = plain_run(log=tmp_path / "whole.jsonl", **options)
    run = plain_run(10, log=tmp_path / "parts.jsonl", **options)
    assert run.monitor is not None
    run.monitor.save(tmp_path)
    assert {file.name for file in tmp_path.glob("zerosum_monitor*")} == {
        "zerosum_monitor.json",
        "zerosum_monitor.safetensors",
    }
    run.monitor = zerosum.Monitor(
        run.model, PROBE, log=tmp_path / "parts.jsonl", optimizer=run.optimizer, tell=run.told.append, **options
    )
    run.monitor.load(tmp_path)
    continue_run(run, 10, 24)
    run.monitor.close()
    assert whole.monitor is not None
    whole.monitor.close()
    assert same(run, without)
    whole_rows, rows = (
        [{name: value for name, value in row.items() if name != "zerosum/cost"} for row in file_rows(tmp_path / name)]
        for name in ("whole.jsonl", "parts.jsonl")
    )
    assert rows == whole_rows
    assert run.told == whole.told == []
    assert run.monitor.state_dict()["verdict"] == whole.monitor.state_dict()["verdict"]


def test_a_damaged_or_foreign_state_is_told(tmp_path: Path) -> None:
    run = plain_run(3)
    assert run.monitor is not None
    run.monitor.save(tmp_path)
    told: list[str] = []
    zerosum.Monitor(run.model, PROBE[:5], tell=told.append).load(tmp_path)
    (tmp_path / "zerosum_monitor.json").write_text('{"version": 1}')
    zerosum.Monitor(run.model, PROBE, tell=told.append).load(tmp_path)
    zerosum.Monitor(run.model, PROBE, tell=told.append).load(tmp_path / "nowhere")
    assert ["other probe" in told[0], "damaged" in told[1], "no readable state" in told[2]] == [True] * 3


class Careless(torch.nn.Module):
    """A model that draws, counts, caches and switches modes, and fails at its third evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = torch.nn.Embedding(VOCABULARY, VOCABULARY)
        self.frozen = torch.nn.Dropout(0.5).eval()
        self.register_buffer("calls", torch.zeros(()))
        self.evaluations = 0

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        torch.rand(1)
        np.random.rand()  # noqa: NPY002
        if not self.training:
            self.evaluations += 1
            self.cache = ids
            self.frozen.train()
            if self.calls.item() > 12:
                raise RuntimeError("out of luck")
        return self.rows(ids)


def careless_run(monitored: bool) -> tuple[Any, list[Any], list[str]]:
    model, told = Careless(), []
    torch.nn.init.normal_(model.rows.weight, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    torch.manual_seed(0)
    monitor = zerosum.Monitor(model, PROBE, schedule="every(1)", cost="full", tell=told.append) if monitored else None
    for step in range(20):
        ids = batch_of(step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(ids[:, :-1])
            torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten()).backward()
            if monitor:
                with monitor.step(step):
                    optimizer.step()
            else:
                optimizer.step()
            assert torch.is_autocast_enabled("cpu")
        optimizer.zero_grad()
    modes = [(module.training, len(module._forward_pre_hooks)) for module in model.modules()]
    kept = [modes, model.evaluations, hasattr(model, "cache"), torch.is_grad_enabled()]
    return [model.rows.weight, model.calls, torch.get_rng_state()], kept, told


def test_a_careless_model_that_fails_is_left_as_it_was() -> None:
    (tensors, kept, told), (expected, kept_without, _) = careless_run(True), careless_run(False)
    assert all(torch.equal(one, other) for one, other in zip(tensors, expected, strict=True))
    assert kept == kept_without
    assert len(told) == 1
    assert "switched off, training goes on. RuntimeError: out of luck" in told[0]


def test_documents_are_resampled_where_they_are_known() -> None:
    document = np.arange(24)[:, None].repeat(12, axis=1)
    tokens = TokenSequences(PROBE.astype(np.int64), document, tuple(map(str, range(24))))
    model = model_with_dropout()
    monitor = zerosum.Monitor(model, tokens, schedule=[0], cost="full")
    with monitor.step(0), torch.no_grad():
        next(model.parameters()).add_(0.1)
    assert monitor.latest is not None
    assert monitor.latest.one_step[0].changes.units == "document"


def test_signs_of_trouble_are_told_once() -> None:
    told: list[str] = []
    model = model_with_dropout()
    monitor = zerosum.Monitor(model, DATA[: 2 * ROWS].numpy(), schedule="every(4)", cost="full", tell=told.append)
    for step in range(60):
        loss = 30.0 if step == 50 else float("nan") if step == 55 else 4 * 3.7
        with monitor.step(step, loss=loss, lr=0.0, batch=batch_of(0) if step < 15 else None):
            pass
    assert monitor.latest is not None
    monitor.state_dict()
    words = ["8 of 16 held-out sequences", "learning rate is 0", "changed no loss", "4 times", "jumped to 30", "is nan"]
    assert [sum(word in line for line in told) for word in words] == [1] * 6
    assert len(told) == 6
    assert np.isnan(monitor.latest.values()["zerosum/D_step"])
    assert monitor.latest.reason == "no-update"


def test_an_error_of_the_update_is_the_users_own() -> None:
    model = model_with_dropout()
    monitor = zerosum.Monitor(model, PROBE, schedule="every(1)", cost="full")
    with pytest.raises(ZeroDivisionError), monitor.step(1):
        raise ZeroDivisionError
    with monitor.step(2), torch.no_grad():
        next(model.parameters()).add_(0.1)
    assert monitor.latest is not None
    assert monitor.latest.step == 2


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows, self.head = torch.nn.Embedding(VOCABULARY, 8), torch.nn.Linear(8, VOCABULARY)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(torch.nn.functional.dropout(self.rows(ids), 0.2, self.training))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_compiled_model_is_compiled_for_training_only(in_place: bool) -> None:
    def run(monitored: bool) -> tuple[list[torch.Tensor], int, zerosum.Monitor | None]:
        torch.compiler.reset()
        torch.manual_seed(0)
        model: Any = Small()
        compiled = []

        def backend(graph: Any, inputs: Any) -> Any:
            compiled.append(graph)
            return graph.forward

        if in_place:
            model.compile(backend=backend)
        called = model if in_place else torch.compile(model, backend=backend)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
        monitor = zerosum.Monitor(called, PROBE, schedule="every(1)", cost="full") if monitored else None
        for step in range(4):
            ids = batch_of(step)
            logits = called(ids[:, :-1])
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
            if monitor:
                with monitor.step(step, batch=ids):
                    optimizer.step()
            else:
                optimizer.step()
            optimizer.zero_grad()
        return [*model.parameters(), torch.get_rng_state()], len(compiled), monitor

    (tensors, compiled, monitor), (expected, times, _) = run(True), run(False)
    assert compiled == times == 1
    assert all(torch.equal(one, other) for one, other in zip(tensors, expected, strict=True))
    assert monitor is not None
    assert monitor.latest is not None
