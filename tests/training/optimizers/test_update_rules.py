"""Every optimizer of the folder follows its formula, written a second time in NumPy, and its declared identity."""

import numpy as np
import pytest
from numpy_rules import RULES

from zerosum.training.closed_form import STEPS, Problem, Weights, largest_difference, rate_factor, trajectory
from zerosum.training.identity import Identity
from zerosum.training.optimizer_settings import OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS

VARIANTS = {
    "ademamix": [{"betas": (0.9, 0.99, 0.999), "rise_steps": 30}, {"rise_steps": 80}],
    "muon": [{}, {"scaling": "rms", "nesterov": False, "adamw_lr": 0.02}],
    "schedule_free": [{}, {"betas": (0.0, 0.99)}],
    "sgd": [{"momentum": 0.9}],
}
CASES = [(kind, more) for kind in OPTIMIZERS.names() for more in VARIANTS.get(kind, [{}])]


def expected(settings: OptimizerSettings) -> list[Weights]:
    problem, h = Problem(), settings.model_dump()
    weights, states = [problem.weights()], {name: {} for name in problem.A}
    for step in range(1, STEPS + 1):
        last, new = weights[-1], {}
        for name, g in problem.gradient(last).items():
            p, rule, rate = last[name], RULES[settings.kind], h["lr"]
            if settings.kind == "muon" and (p.ndim == 1 or "embedding" in name):
                rule, rate = RULES["adamw"], h["adamw_lr"]
            embedding = "embedding" in name and not settings.decay_embeddings
            decay = 0.0 if p.ndim == 1 or embedding else h["weight_decay"]
            new[name] = rule(p, g, step, rate * rate_factor(step), decay, h, states[name])
        weights.append(new)
    return weights


@pytest.mark.parametrize(("kind", "more"), CASES)
def test_follows_its_formula(kind: str, more: dict) -> None:
    settings = OPTIMIZERS.settings(kind)(lr=0.01, weight_decay=0.1, **more)
    weights = trajectory(settings)
    assert largest_difference(weights, expected(settings)) < (1e-7 if kind == "muon" else 1e-9)
    assert all(np.abs(weights[-1][name] - p).max() > 0.02 for name, p in weights[0].items())


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_embeddings_decay_unless_they_are_exempt(kind: str) -> None:
    settings = OPTIMIZERS.settings(kind)(lr=0.01, weight_decay=0.1, decay_embeddings=False)
    weights = trajectory(settings)
    assert largest_difference(weights, expected(settings)) < 1e-7
    assert largest_difference(weights, expected(settings.model_copy(update={"decay_embeddings": True}))) > 1e-4


def test_the_gradient_is_that_of_the_loss() -> None:
    problem = Problem()
    problem.loss().backward()
    gradients = problem.gradient(problem.weights())
    for name, parameter in problem.named_parameters():
        np.testing.assert_allclose(parameter.grad, gradients[name], atol=1e-12)


@pytest.mark.parametrize("kind", OPTIMIZERS.names())
def test_equals_its_baseline(kind: str) -> None:
    own = OPTIMIZERS.settings(kind)
    if not isinstance(own.identity, Identity):
        pytest.skip(f"{own.identity.reason}; tests/golden has its trajectory")
    common = {"lr": 0.01, "weight_decay": 0.1}
    baseline = OPTIMIZERS.settings(own.identity.baseline)(**{**common, **own.identity.baseline_settings})
    difference = largest_difference(trajectory(own(**{**common, **own.identity.settings})), trajectory(baseline))
    assert difference <= own.identity.tolerance
