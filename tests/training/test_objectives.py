"""Gradients of objectives through a real model, against autograd written out, however the batch is cut into passes."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny import VOCABULARY, tiny_model
from torch.nn import functional

from zerosum.training.aggregators.pcgrad import PCGradSettings
from zerosum.training.batch_gradient import backward
from zerosum.training.gradient_rule import GradientRule
from zerosum.training.objective_settings import BatchLosses
from zerosum.training.objectives.reweighting import ReweightingSettings
from zerosum.training.objectives.rho1 import Rho1Settings
from zerosum.training.objectives.z_loss import ZLossSettings

IDS = np.random.default_rng(0).integers(0, VOCABULARY, (8, 13))
IDS[3, 6:] = -1
TOKENS = torch.as_tensor(IDS)
PREDICTED = TOKENS[:, 1:] >= 0
OBJECTIVES = [
    ZLossSettings(c=0.3),
    ReweightingSettings(r=0.3),
    ReweightingSettings(level="token", f="extremes", r=0.3),
    Rho1Settings(reference="here", k=0.4),
]


def gpt2(dropout=0.0, seed=0):
    rates = dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), dropout)
    return tiny_model("gpt2", n_embd=16, n_head=2, seed=seed, **rates).double()


def logits_and_losses(model):
    logits = model(TOKENS[:, :-1].clamp(min=0)).logits
    losses = functional.cross_entropy(logits.transpose(1, 2), TOKENS[:, 1:], reduction="none", ignore_index=-1)
    return logits, losses


@pytest.fixture(scope="module")
def accelerator():
    return Accelerator(cpu=True)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.kind)
def test_gradient_written_out(objective, accelerator):
    model, reference = gpt2().train(), gpt2(seed=1)
    logits, losses = logits_and_losses(model)
    _, of_reference = logits_and_losses(reference)
    batch = BatchLosses(losses.detach(), PREDICTED, of_reference.detach(), 0)
    trained = losses + 0.3 * logits.exp().sum(-1).log() ** 2 if objective.kind == "z_loss" else losses
    value = (trained * objective.weights(batch)).sum()
    expected = torch.autograd.grad(value, list(model.parameters()))
    rule = GradientRule(objective, reference=reference if objective.reference_model else None)
    for rows in (None, 3):
        found = backward(accelerator, model, TOKENS, clip=float("inf"), rows=rows, rule=rule)
        for parameter, gradient in zip(model.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-10, atol=1e-14)
        model.zero_grad()
        assert found.loss.item() == pytest.approx(losses[PREDICTED].mean().item(), rel=1e-12)
        assert found.objective.item() == pytest.approx(value.item(), rel=1e-12)
        assert abs(found.objective.item() - found.loss.item()) > 1e-3


def test_gradient_by_finite_differences(accelerator):
    """Of the objective with its weights held fixed; in a random direction."""
    model, objective = gpt2().train(), ReweightingSettings(r=0.3)
    backward(accelerator, model, TOKENS, clip=float("inf"), rule=GradientRule(objective))
    parameters = list(model.parameters())
    direction = [torch.randn_like(parameter) for parameter in parameters]
    slope = sum((p.grad * d).sum() for p, d in zip(parameters, direction, strict=True)).item()
    weights = objective.weights(BatchLosses(logits_and_losses(model)[1].detach(), PREDICTED, None, 0))
    values = []
    for step in (1e-6, -2e-6):
        with torch.no_grad():
            torch._foreach_add_(parameters, direction, alpha=step)
            values.append((logits_and_losses(model)[1] * weights).sum().item())
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("rows", [8, 2])
@pytest.mark.parametrize("aggregator", [None, PCGradSettings(groups=3, by="loss_quantiles"), PCGradSettings(groups=4)])
def test_losses_of_the_weights_are_those_of_the_pass_that_trains(rows, aggregator, accelerator):
    """With dropout: what the objective is told equals the mean of the losses that the passes with gradient have."""
    seen = []

    class Watching(ReweightingSettings):
        kind: str = "watching"

        def weights(self, batch):
            seen.append(batch.losses.clone())
            return super().weights(batch)

    torch.manual_seed(3)
    more = {} if aggregator is None else {"aggregator": aggregator}
    rule = GradientRule(Watching(r=0.3), **more)
    model = gpt2(dropout=0.2).train()
    found = backward(accelerator, model, TOKENS, clip=float("inf"), rows=rows, rule=rule)
    assert found.objective.item() == pytest.approx(
        (seen[0] * ReweightingSettings(r=0.3).weights(BatchLosses(seen[0], PREDICTED, None, 0))).sum().item(), rel=1e-12
    )
    assert found.loss.item() == pytest.approx(seen[0][PREDICTED].mean().item(), rel=1e-12)
