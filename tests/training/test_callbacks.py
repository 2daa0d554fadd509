"""Callbacks: what they see and write, that they cannot change training, and that a killed run restores their state."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from on_step import OnStep
from safetensors.torch import load_file

from zerosum import InputError, read_curve
from zerosum.checkpoints import open_run
from zerosum.training import AfterStep, BeforeStep, Callback, TrainingContext, batch, train
from zerosum.training.recipe import Recipe


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def contents(run: Path) -> dict[str, bytes]:
    """All files but torch's own, which are not written byte for byte alike."""
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file() and path.suffix != ".pt"}
    return {name: path.read_bytes() for name, path in files.items()}


class Stop(Exception):
    """Ends a run early."""


class Reader(Callback):
    """Reads everything, and disturbs everything that a reader disturbs by accident."""

    def disturb(self, context: TrainingContext) -> None:
        torch.rand(5)
        torch.manual_seed(0)
        context.model.eval()
        tokens = torch.zeros((2, 8), dtype=torch.int64)
        context.model(tokens, labels=tokens).loss.backward()

    def before_step(self, context: BeforeStep) -> None:
        self.disturb(context)

    def after_step(self, context: AfterStep) -> Mapping[str, float]:
        self.disturb(context)
        return {"norm": sum(float(parameter.detach().norm()) for parameter in context.model.parameters())}

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        self.disturb(context)


class Average(Callback):
    """A running mean of the losses and of the weights, and a list of what was seen: state of every kind."""

    def __init__(self) -> None:
        self.loss = 0.1
        self.seen: list[int] = []
        self.weights: torch.Tensor | None = None

    def after_step(self, context: AfterStep) -> Mapping[str, float]:
        self.loss += 0.1 * (context.loss - self.loss)
        self.seen.append(context.step)
        flat = torch.cat([parameter.detach().flatten() for parameter in context.model.parameters()])
        self.weights = flat if self.weights is None else self.weights.lerp(flat, 0.1)
        return {"average_loss": self.loss, "average_norm": float(self.weights.norm())}

    def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
        (folder / "average.txt").write_text(f"{context.step} {self.loss!r} {self.seen}")

    def state_dict(self) -> Mapping[str, Any]:
        tensors = {} if self.weights is None else {"weights": self.weights}
        return {"loss": self.loss, "seen": self.seen, **tensors}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.loss, self.seen, self.weights = state["loss"], state["seen"], state.get("weights")


def test_a_reading_callback_changes_no_bit(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "without")
    train(recipe, tmp_path / "with", callbacks=(Reader(), Average()))
    for step in recipe.checkpoint_steps:
        names = f"checkpoint-{step}/model.safetensors", f"checkpoint-{step}/training_state.pt"
        weights = [(tmp_path / run / names[0]).read_bytes() for run in ("without", "with")]
        assert weights[0] == weights[1]
        states = [torch.load(tmp_path / run / names[1], weights_only=True) for run in ("without", "with")]
        assert torch.equal(states[0]["generators"]["cpu"], states[1]["generators"]["cpu"])
    for plain, row in zip(rows(tmp_path / "without"), rows(tmp_path / "with"), strict=True):
        assert plain == {name: row[name] for name in plain}


def test_values_are_written_in_the_row_of_their_step(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path, callbacks=(Reader(), Average()))
    written = rows(tmp_path)
    assert [list(row)[-3:] for row in written] == [["norm", "average_loss", "average_norm"]] * 12
    average = 0.1
    for row in written:
        average += 0.1 * (row["loss"] - average)
        assert row["average_loss"] == average
    for step in (1, 8, 12):
        tensors = load_file(tmp_path / f"checkpoint-{step}" / "model.safetensors")
        norm = sum(float(tensor.norm()) for tensor in tensors.values())
        assert written[step - 1]["norm"] == pytest.approx(norm, rel=1e-6)


def test_values_that_are_not_finite_are_null_and_the_log_stays_a_loss_curve(recipe: Recipe, tmp_path: Path) -> None:
    class Odd(Callback):
        def after_step(self, context: AfterStep) -> Mapping[str, Any]:
            odd = {"a": float("nan"), "b": float("inf"), "c": np.float32(0.5), "d": torch.tensor(2)}
            return odd if context.step % 2 else {}

    train(recipe, tmp_path, callbacks=(Odd(),))
    first, second = rows(tmp_path)[:2]
    assert {name: first[name] for name in "abcd"} == {"a": None, "b": None, "c": 0.5, "d": 2.0}
    assert set(second) == {"step", "tokens_seen", "loss", "lr", "grad_norm"}
    curve = read_curve(tmp_path)
    np.testing.assert_array_equal(curve.step, np.arange(1, 13))
    np.testing.assert_allclose(curve.loss, [row["loss"] for row in rows(tmp_path)])


def test_callbacks_see_the_step_its_batch_and_both_sides_of_the_update(recipe: Recipe, tmp_path: Path) -> None:
    calls: list[tuple[str, int]] = []
    weights: dict[tuple[str, int], torch.Tensor] = {}

    class Watch(Callback):
        def before_step(self, context: BeforeStep) -> None:
            calls.append(("before", context.step))
            weights["before", context.step] = next(context.model.parameters()).detach().clone()
            np.testing.assert_array_equal(context.batch, batch(recipe, context.step).ids)

        def after_step(self, context: AfterStep) -> None:
            calls.append(("after", context.step))
            weights["after", context.step] = next(context.model.parameters()).detach().clone()
            np.testing.assert_array_equal(context.batch, batch(recipe, context.step - 1).ids)
            assert context.optimizer.param_groups[0]["lr"] == context.lr
            assert context.optimizer.param_groups[0]["fused"]

        def on_checkpoint(self, context: TrainingContext, folder: Path) -> None:
            calls.append(("checkpoint", context.step))
            assert folder.parent == tmp_path
            assert (folder / "model.safetensors").is_file()

    train(recipe, tmp_path, callbacks=(Watch(),))
    expected = [("checkpoint", 0)]
    for step in range(1, 13):
        expected += [("before", step - 1), ("after", step)]
        expected += [("checkpoint", step)] if step in recipe.checkpoint_steps else []
    assert calls == expected
    for step in range(1, 12):
        assert torch.equal(weights["after", step], weights["before", step])
        assert not torch.equal(weights["after", step], weights["before", step - 1])


@pytest.mark.parametrize("step", [1, 5, 7, 12])
def test_a_run_stopped_after_any_step_ends_the_same_with_the_same_callbacks(
    recipe: Recipe, tmp_path: Path, step: int
) -> None:
    def stop(at: int, loss: float) -> None:
        if at == step:
            raise Stop

    train(recipe, tmp_path / "whole", callbacks=(Average(), Reader()))
    with pytest.raises(Stop):
        train(recipe, tmp_path / "stopped", callbacks=(Average(), Reader(), OnStep(stop)))
    last = Average()
    train(recipe, tmp_path / "stopped", callbacks=(last, Reader()))
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert last.seen == list(range(1, 13))
    assert (tmp_path / "whole" / "checkpoint-8" / "average.txt").read_text().startswith("8 ")
    assert [point.step for point in open_run(tmp_path / "whole").checkpoints] == [0, 1, 2, 4, 8, 12]


def test_callbacks_are_called_around_the_updates_that_they_want(recipe: Recipe, tmp_path: Path) -> None:
    class EveryThird(Callback):
        before: list[int] = []  # noqa: RUF012 - of this test

        def is_due(self, update: int) -> bool:
            return update % 3 == 0

        def before_step(self, context: BeforeStep) -> None:
            self.before.append(context.step)

        def after_step(self, context: AfterStep) -> Mapping[str, float]:
            return {"seen": context.step}

    train(recipe, tmp_path / "run", callbacks=(EveryThird(),))
    third = list(range(3, recipe.steps + 1, 3))
    assert EveryThird.before == [step - 1 for step in third]
    assert [row["seen"] for row in rows(tmp_path / "run") if "seen" in row] == third


def test_stateless_callbacks_write_no_file_and_may_come_and_go(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        train(recipe, tmp_path / "a", callbacks=(Reader(), OnStep(lambda step, loss: (_ for _ in ()).throw(Stop))))
    train(recipe, tmp_path / "a")
    assert not list((tmp_path / "a").rglob("callbacks.*"))


def test_saved_state_without_its_callback_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    def stop(at: int, loss: float) -> None:
        if at == 7:
            raise Stop

    with pytest.raises(Stop):
        train(recipe, tmp_path, callbacks=(Average(), OnStep(stop)))
    with pytest.raises(InputError, match="resume-6: the run was trained with the callback 'Average', missing now"):
        train(recipe, tmp_path)
    (tmp_path / "resume-6" / "callbacks.json").write_text("{")
    with pytest.raises(InputError, match="resume-6: the state of its callbacks is damaged"):
        train(recipe, tmp_path, callbacks=(Average(),))
    (tmp_path / "resume-6" / "callbacks.json").write_text('{"Other": {}}')
    with pytest.raises(InputError, match="resume-6: the state of its callbacks is damaged"):
        train(recipe, tmp_path, callbacks=(Average(),))


def _weights(context: TrainingContext) -> None:
    with torch.no_grad():
        next(context.model.parameters()).mul_(1.001)


def _other_memory(context: TrainingContext) -> None:
    parameter = next(context.model.parameters())
    parameter.data = parameter.data * 1.001


def _rate(context: TrainingContext) -> None:
    context.optimizer.param_groups[0]["weight_decay"] = 0.0


def _moments(context: TrainingContext) -> None:
    for state in context.optimizer.state.values():
        state["exp_avg"].zero_()


def _step(context: TrainingContext) -> None:
    for parameter in context.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    context.optimizer.step()


@pytest.mark.parametrize("change", [_weights, _other_memory, _rate, _moments, _step])
def test_a_change_of_training_is_refused(recipe: Recipe, tmp_path: Path, change: Any) -> None:
    class Changes(Callback):
        def before_step(self, context: BeforeStep) -> None:
            if context.step == 3:
                change(context)

    with pytest.raises(InputError, match=r"Changes\.before_step: changed the weights or the optimizer"):
        train(recipe, tmp_path, callbacks=(Changes(),))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"loss": 1.0}, "the log already has 'loss'"),
        ({"mine": 1.0}, "the log already has 'mine'"),
        ({"other": "high"}, "other is 'high', not a number"),
        ({"other": [1.0]}, "not a number"),
    ],
)
def test_values_that_the_log_cannot_take(recipe: Recipe, tmp_path: Path, values: dict[str, Any], words: str) -> None:
    class First(Callback):
        def after_step(self, context: AfterStep) -> Mapping[str, float]:
            return {"mine": 0.0}

    class Second(Callback):
        def after_step(self, context: AfterStep) -> Any:
            return values

    with pytest.raises(InputError, match=f"Second: .*{words}"):
        train(recipe, tmp_path, callbacks=(First(), Second()))


def test_two_callbacks_of_the_same_name_are_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 callbacks are named 'Average'"):
        train(recipe, tmp_path, callbacks=(Average(), Average()))


def test_state_that_is_neither_json_nor_tensors_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    class Odd(Callback):
        def state_dict(self) -> Mapping[str, Any]:
            return {"set": {1, 2}}

    with pytest.raises(InputError, match="callbacks Odd: not JSON and tensors"):
        train(recipe, tmp_path, callbacks=(Odd(),))
    assert not list(tmp_path.glob("checkpoint*"))
