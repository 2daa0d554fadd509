"""PCGrad against its algorithm in plain NumPy, on random gradients and on those of a real model's groups of tokens."""

import itertools

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny import VOCABULARY, tiny_model

from zerosum.training.aggregators.pcgrad import PCGradSettings
from zerosum.training.batch_gradient import backward
from zerosum.training.gradient_rule import GradientRule
from zerosum.training.token_groups import agreement, inner_products

IDS = np.random.default_rng(0).integers(0, VOCABULARY, (8, 13))
DOMAIN = np.array([2, 0, 2, 5, 1, 0, 0, 2])


def by_algorithm(gradients, orders):
    """Algorithm 1 of Yu et al., summed; orders: for each i, the order of the others, itself among them."""
    projected = []
    for i, order in enumerate(orders):
        g = gradients[i].copy()
        for j in order:
            if j != i and g @ gradients[j] < 0:
                g -= g @ gradients[j] / (gradients[j] @ gradients[j]) * gradients[j]
        projected.append(g)
    return np.sum(projected, axis=0)


def orders_of(n_groups, generator):
    return [torch.randperm(n_groups, generator=generator).tolist() for _ in range(n_groups)]


@pytest.mark.parametrize("n_groups", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_random_gradients(n_groups, seed):
    flat = np.random.default_rng(seed).normal(size=(n_groups, 7))
    gradients = [list(torch.as_tensor(row).split([3, 4])) for row in flat]
    products = inner_products(gradients)
    np.testing.assert_allclose(products, flat @ flat.T)
    combined = PCGradSettings().combine(gradients, products, torch.Generator().manual_seed(seed))
    expected = by_algorithm(flat, orders_of(n_groups, torch.Generator().manual_seed(seed)))
    np.testing.assert_allclose(torch.cat(combined), expected, atol=1e-12)
    found = agreement(products, [5] * n_groups)
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in itertools.combinations(flat, 2)]
    assert found["conflict_rate"] == pytest.approx(np.mean([cosine < 0 for cosine in cosines]))
    assert found["mean_cosine"] == pytest.approx(np.mean(cosines))
    assert found["conflict_rate_null"] == 0.5


def test_without_a_conflict_it_is_the_sum_and_a_group_without_gradient_changes_nothing():
    flat = np.abs(np.random.default_rng(0).normal(size=(4, 7)))
    flat[2] = 0
    gradients = [[torch.as_tensor(row)] for row in flat]
    (combined,) = PCGradSettings().combine(gradients, inner_products(gradients), torch.Generator())
    np.testing.assert_array_equal(combined, sum(torch.as_tensor(row) for row in flat))


def test_noise_alone_is_in_conflict_half_of_the_time():
    flat = torch.randn(60, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert agreement(flat @ flat.T, [1] * 60)["conflict_rate"] == pytest.approx(0.5, abs=0.03)


def conflicting_model():
    model = tiny_model("gpt2", n_embd=16, n_head=2, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0).double()
    return model.train()


@pytest.fixture(scope="module")
def accelerator():
    return Accelerator(cpu=True)


@pytest.mark.parametrize("by", ["micro_batches", "loss_quantiles", "domains"])
@pytest.mark.parametrize("n_groups", [2, 3, 4])
def test_gradients_of_the_groups_of_a_real_model(by, n_groups, accelerator):
    ids = IDS.copy()
    ids[3, 6:] = -1
    settings = PCGradSettings(groups=n_groups, by=by)
    model = conflicting_model()
    parameters = list(model.parameters())
    tokens = torch.as_tensor(ids)
    losses = torch.nn.functional.cross_entropy(
        model(tokens[:, :-1].clamp(min=0)).logits.transpose(1, 2), tokens[:, 1:], reduction="none", ignore_index=-1
    )
    predicted = tokens[:, 1:] >= 0
    if by == "micro_batches":
        group = torch.as_tensor([i * n_groups // 8 for i in range(8)])[:, None].expand_as(predicted)
    elif by == "domains":
        group = torch.as_tensor(DOMAIN % n_groups)[:, None].expand_as(predicted)
    else:
        rank = np.full(losses.shape, -1)
        order = sorted(zip(*predicted.nonzero(as_tuple=True), strict=True), key=lambda at: losses[at].item())
        for place, (s, t) in enumerate(order):
            rank[s, t] = place * n_groups // len(order)
        group = torch.as_tensor(rank)
    members = [predicted & (group == k) for k in range(n_groups) if (predicted & (group == k)).any()]
    sums = [(losses * tokens_of_group).sum() / predicted.sum() for tokens_of_group in members]
    flat = [
        torch.cat([g.flatten() for g in torch.autograd.grad(one, parameters, retain_graph=True)]).numpy()
        for one in sums
    ]
    (seed,) = np.random.SeedSequence((7, 3)).generate_state(1, np.uint64)
    expected = by_algorithm(flat, orders_of(len(flat), torch.Generator().manual_seed(int(seed))))
    expected *= np.linalg.norm(sum(flat)) / np.linalg.norm(expected)
    rule = GradientRule(aggregator=settings, seed=7, step=3)
    for rows in (None, 3):
        result = backward(
            accelerator, model, tokens, clip=float("inf"), rows=rows, rule=rule, domain=torch.as_tensor(DOMAIN)
        )
        found = torch.cat([parameter.grad.flatten() for parameter in parameters]).numpy()
        model.zero_grad()
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert float(result.norm) == pytest.approx(np.linalg.norm(sum(flat)))
        for value in (result.loss, result.objective):
            assert value.item() == pytest.approx((losses.sum() / predicted.sum()).item())
        cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in itertools.combinations(flat, 2)]
        assert result.values["mean_cosine"] == pytest.approx(np.mean(cosines))
        assert result.values["conflict_rate"] == np.mean([cosine < 0 for cosine in cosines])
        sizes = [int(tokens_of_group.sum()) for tokens_of_group in members]
        assert result.values["n_groups"] == len(sizes)
        assert (result.values["smallest_group"], result.values["largest_group"]) == (min(sizes), max(sizes))


def test_a_parameter_without_gradient_keeps_none(accelerator):
    """So that the optimizer leaves it as it is, as it does with plain training."""
    model = conflicting_model()
    model.unused = torch.nn.Parameter(torch.ones(3))
    rule = GradientRule(aggregator=PCGradSettings(groups=2))
    backward(accelerator, model, torch.as_tensor(IDS), clip=1.0, rule=rule)
    assert model.unused.grad is None
    assert all(parameter.grad is not None for parameter in model.parameters() if parameter is not model.unused)
