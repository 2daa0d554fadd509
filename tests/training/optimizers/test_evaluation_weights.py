"""Schedule-free: gradients at y, everything that is evaluated and saved at x, and y back bit for bit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from zerosum.checkpoints import load_model, open_run
from zerosum.errors import InputError
from zerosum.losses import token_losses
from zerosum.training import SavedSteps, batch, one_step_losses, restore, train
from zerosum.training.branch import branch, cooldown
from zerosum.training.closed_form import Problem, trajectory
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.optimizers.schedule_free import ScheduleFreeSettings
from zerosum.training.recipe import Recipe
from zerosum.training.replay.updater import find_updater


@pytest.fixture
def schedule_free(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"optimizer": ScheduleFreeSettings(lr=0.02, weight_decay=0.1)})


@pytest.mark.parametrize("beta1", [0.0, 0.3, 0.9])
def test_x_goes_in_and_y_comes_back_bit_for_bit(beta1: float, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ScheduleFreeSettings(lr=0.05, betas=(beta1, 0.99), weight_decay=0.1)
    steps = []

    def swap(problem: Problem, optimizer: torch.optim.Optimizer) -> None:
        before = problem.weights()
        with settings.evaluation_weights(optimizer):
            inside = problem.weights()
            for name, parameter in problem.named_parameters():
                np.testing.assert_array_equal(inside[name], optimizer.state[parameter]["x"])
        after = problem.weights()
        assert all(np.array_equal(before[name], after[name]) for name in before)
        steps.append(max(abs(inside[name] - before[name]).max() for name in before))

    swapped = trajectory(settings, swap)
    alone = trajectory(settings)
    assert all(np.array_equal(a[name], b[name]) for a, b in zip(swapped, alone, strict=True) for name in a)
    assert steps[0] == pytest.approx(0, abs=1e-15)  # x, y and z are one after the first update
    assert min(steps[5:]) > 1e-4
    assert capsys.readouterr().out == ""


def test_without_b1_x_is_the_mean_of_the_iterates_of_adamw() -> None:
    rates = np.minimum(1, np.arange(1, 51) / 4)
    means: dict[str, np.ndarray] = {}

    def last(problem: Problem, optimizer: torch.optim.Optimizer) -> None:
        means.update({name: optimizer.state[p]["x"].numpy().copy() for name, p in problem.named_parameters()})

    trajectory(ScheduleFreeSettings(lr=0.05, betas=(0.0, 0.99), weight_decay=0.1), last)
    iterates = trajectory(AdamWSettings(lr=0.05, betas=(0.0, 0.99), weight_decay=0.1))[1:]
    for name, mean in means.items():
        expected = np.average([weights[name] for weights in iterates], axis=0, weights=rates**2)
        np.testing.assert_allclose(mean, expected, rtol=1e-12)


def test_the_swap_is_the_same_with_any_number_of_threads() -> None:
    """A fused multiply-add would round the ends of the threads' shares otherwise."""
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(100_003))
    settings = ScheduleFreeSettings(lr=0.1)
    optimizer = settings.new([{"params": [parameter], **settings.group_numbers()}])
    for _ in range(3):
        parameter.grad = torch.randn(100_003)
        optimizer.step()
    threads, y = torch.get_num_threads(), parameter.detach().clone()
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            settings.load_evaluation_weights(optimizer)
            assert not torch.equal(parameter, y)
            settings.load_training_weights(optimizer)
            assert torch.equal(parameter, y)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", sorted(set(OPTIMIZERS.names()) - {"schedule_free"}))
def test_others_evaluate_the_weights_that_they_train(kind: str) -> None:
    settings, problem = OPTIMIZERS.settings(kind)(), Problem()
    before = problem.weights()
    with settings.evaluation_weights(settings.new(settings.groups(problem))):
        assert all(np.array_equal(before[name], p) for name, p in problem.weights().items())


def test_checkpoints_hold_x_and_steps_around_them_are_measured_at_x(schedule_free: Recipe, tmp_path: Path) -> None:
    recipe = schedule_free.model_copy(update={"held_out": 6, "steps": 2})
    train(recipe, tmp_path)
    state = restore(tmp_path / "checkpoint-2", recipe)
    saved = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    for name, y in state.plain_model.named_parameters():
        values = state.plain_optimizer.state[y]
        assert torch.equal(values["x"], saved[name])
        assert torch.equal(y, values["x"] * 0.9 + values["z"] * (1 - 0.9))
        assert isinstance(values["weight_sum"], float)

    one, two = (point for point in open_run(tmp_path).checkpoints if point.step in (1, 2))
    tokens = recipe.data.open().held_out(6, 8).ids
    row = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])
    assert row["held_out_loss"] == pytest.approx(token_losses(load_model(two), tokens).mean(), abs=1e-6)
    steps = SavedSteps(recipe)
    np.testing.assert_array_equal(token_losses(steps.load(one), tokens), token_losses(load_model(one), tokens))
    measured = one_step_losses(recipe, one, tokens)
    np.testing.assert_array_equal(measured.batch_before, token_losses(load_model(one), batch(recipe, 1).ids))
    np.testing.assert_array_equal(measured.held_out_after, token_losses(load_model(two), tokens))

    with pytest.raises(InputError, match=r"optimizer schedule_free: takes no cooldown"):
        cooldown(branch(tmp_path, 2), 0.5)
    updater = find_updater(two.path, load_model(two))
    assert any("losses are those of the averaged weights x" in note for note in updater.notes)
