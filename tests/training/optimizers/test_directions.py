"""What is particular about the direction of an optimizer: signs, agreement with the batch, orthogonal matrices."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from zerosum.training.closed_form import STEPS, Problem, Weights, largest_difference, rate_factor, trajectory
from zerosum.training.matrices import Layout
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.optimizers._orthogonal import direction, orthogonalized, scale
from zerosum.training.optimizers.lion import LionSettings
from zerosum.training.optimizers.muon import MuonSettings


def C_uG(kind: str) -> list[float]:
    """|sum u g| / sum |u g| of each step without decay, g being the gradient of its own batch."""
    weights = trajectory(OPTIMIZERS.settings(kind)(lr=0.05, weight_decay=0.0))
    problem = Problem()
    values = []
    for before, after in pairwise(weights):
        g = problem.gradient(before)
        products = np.concatenate([((after[name] - before[name]) * g[name]).ravel() for name in g])
        values.append(abs(products.sum()) / abs(products).sum())
    return values


def test_no_step_of_cautious_adamw_works_against_its_batch() -> None:
    np.testing.assert_allclose(C_uG("cautious_adamw"), 1, atol=1e-12)


@pytest.mark.parametrize("kind", ["adamw", "ademamix", "cautious_decay"])
def test_the_first_step_of_adamw_alone_agrees_with_its_batch(kind: str) -> None:
    first, *later = C_uG(kind)
    assert first == pytest.approx(1, abs=1e-12)
    assert min(later) < 0.95


def test_a_mask_of_nearly_nothing_is_not_blown_up() -> None:
    """One of 2,000 coordinates agrees: its step grows by 1,000, not by 2,000."""
    settings = OPTIMIZERS.settings("cautious_adamw")(lr=1.0, betas=(0.5, 0.5), eps=0.0, weight_decay=0.0)
    parameter = torch.nn.Parameter(torch.zeros(2000, dtype=torch.float64))
    optimizer = settings.new([{"params": [parameter], **settings.group_numbers()}])
    parameter.grad = torch.ones(2000, dtype=torch.float64)
    optimizer.step()
    before = parameter.detach().clone()
    parameter.grad = torch.full((2000,), -0.1, dtype=torch.float64)
    parameter.grad[0] = 1.0
    optimizer.step()
    moved = (parameter.detach() - before).numpy()
    assert moved[0] == pytest.approx(-1000, rel=1e-12)
    assert not moved[1:].any()


def test_tiny_gradients_are_not_masked_away() -> None:
    """In float32 the product of two numbers below 1e-23 is 0."""
    settings = OPTIMIZERS.settings("cautious_adamw")(lr=1.0, eps=0.0)
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = settings.new([{"params": [parameter], **settings.group_numbers()}])
    parameter.grad = torch.tensor([1e-18, -1e-18, 1e-18])
    for _ in range(2):
        optimizer.step()
    assert (parameter * parameter.grad < 0).all()


def test_every_coordinate_of_lion_moves_by_the_rate() -> None:
    weights = trajectory(LionSettings(lr=0.05, weight_decay=0.0))
    for step, (before, after) in enumerate(pairwise(weights), start=1):
        for name in before:
            np.testing.assert_allclose(abs(after[name] - before[name]), 0.05 * rate_factor(step), rtol=1e-9)


def test_lion_without_momentum_in_its_direction_is_sign_descent() -> None:
    problem = Problem()
    weights: list[Weights] = [problem.weights()]
    for step in range(1, STEPS + 1):
        rate = 0.05 * rate_factor(step)
        g = problem.gradient(weights[-1])
        decays = {name: 0.1 if p.ndim == 2 else 0.0 for name, p in weights[-1].items()}
        weights.append({n: p * (1 - rate * decays[n]) - rate * np.sign(g[n]) for n, p in weights[-1].items()})
    assert largest_difference(trajectory(LionSettings(lr=0.05, betas=(0.0, 0.9), weight_decay=0.1)), weights) < 1e-12


def drawn(outputs: int, inputs: int, condition: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix whose singular values fall evenly in their logarithm, and its U V^T."""
    rng = np.random.default_rng(seed)
    n = min(outputs, inputs)
    U, _ = np.linalg.qr(rng.normal(size=(outputs, n)))
    V, _ = np.linalg.qr(rng.normal(size=(inputs, n)))
    spectrum = np.logspace(0, -np.log10(condition), n)
    return torch.from_numpy(U * spectrum @ V.T), torch.from_numpy(U @ V.T)


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (64, 48)])
@pytest.mark.parametrize("condition", [1, 10, 99])
def test_muon_is_near_the_orthogonal_matrix(shape: tuple[int, int], condition: float) -> None:
    for seed in range(2):
        matrix, exact = drawn(*shape, condition, seed)
        made = orthogonalized(matrix)
        assert torch.nn.functional.cosine_similarity(made.flatten(), exact.flatten(), dim=0) >= 0.97
        assert torch.linalg.svdvals(made).max() < 1.25
        for factor in (1e-2, 1e5):
            assert (orthogonalized(factor * matrix) - made).abs().max() < 1e-4  # 1e-7 is added to the norm


def test_muon_of_nothing_is_nothing() -> None:
    assert not orthogonalized(torch.zeros(3, 4)).any()


def test_scalings_of_muon() -> None:
    assert [scale(8, 2, "spectral"), scale(2, 8, "spectral")] == [2.0, 1.0]
    assert [scale(100, 25, "rms"), scale(25, 100, "rms")] == [2.0, 2.0]


def test_fused_maps_are_made_orthogonal_one_by_one_in_either_storage() -> None:
    """Ten times larger gradients of the values leave the steps of queries and keys as they are."""
    torch.manual_seed(0)
    parts = [torch.randn(4, 6, dtype=torch.float64) for _ in range(3)]
    expected = torch.cat([orthogonalized(part) for part in parts])
    parts[2] = 10 * parts[2]
    fused, of = torch.cat(parts), Layout(transposed=False, parts=(4, 4, 4))
    assert (direction(fused, of, "spectral") - expected).abs().max() < 1e-6
    stored = Layout(transposed=True, parts=(4, 4, 4))
    assert torch.equal(direction(fused.T, stored, "spectral").T, direction(fused, of, "spectral"))
    by_head = torch.cat([part[2 * head : 2 * head + 2] for head in range(2) for part in parts])
    made = direction(by_head, Layout(transposed=False, parts=(2, 2, 2), repeats=2), "spectral")
    together = torch.cat([made[6 * head + 2 * k : 6 * head + 2 * k + 2] for k in range(3) for head in range(2)])
    assert torch.equal(together, direction(fused, of, "spectral"))


def test_muon_takes_other_rates_for_what_it_leaves_to_adamw() -> None:
    groups = MuonSettings(lr=0.02, adamw_lr=0.005).groups(Problem())
    assert [len(group["params"]) for group in groups] == [1, 2, 1, 4]  # fused, other maps, embedding, vectors
    assert [group["lr"] for group in groups] == [0.02, 0.02, 0.005, 0.005]
    assert [group["lr_factor"] for group in groups] == [1.0, 1.0, 0.25, 0.25]
