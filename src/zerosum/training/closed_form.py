"""A training problem in closed form, in float64, on which optimizers are compared: with the rule written in NumPy, with
their declared identity, and with trajectories that are stored in `trajectories/`.

Each tensor p of the model has the loss |A (p - c)|^2 / 2 + sum p^4 / 4, flattened, so its gradient is
A^T A (p - c) + p^3. Matrices are wide, tall, an embedding and a fused one stored transposed.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from zerosum.training.optimizer_settings import OptimizerSettings

STEPS = 50
Weights = dict[str, np.ndarray]


class GPT2Attention(nn.Module):
    """Named like the module of transformers, whose `c_attn` holds three maps; stored [inputs, outputs]."""

    def __init__(self) -> None:
        super().__init__()
        self.c_attn = Conv1D(6, 4)


class Problem(nn.Module):
    """The tensors, drawn at random, their loss and its gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 3)
        self.attention = GPT2Attention()
        self.tall = nn.Linear(3, 5)
        self.wide = nn.Linear(5, 3, bias=False)
        self.norm = nn.LayerNorm(3)
        self.double()
        rng = np.random.default_rng(0)
        self.A, self.c = {}, {}
        for name, parameter in self.named_parameters():
            n = parameter.numel()
            self.A[name], self.c[name] = rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n)
            with torch.no_grad():
                parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape))))

    def loss(self) -> torch.Tensor:
        """The sum over all tensors."""
        terms = []
        for name, parameter in self.named_parameters():
            away = torch.from_numpy(self.A[name]) @ (parameter.flatten() - torch.from_numpy(self.c[name]))
            terms.append(away.square().sum() / 2 + parameter.pow(4).sum() / 4)
        return torch.stack(terms).sum()

    def gradient(self, weights: Weights) -> Weights:
        """The gradient of every tensor, by its formula."""
        return {
            name: (self.A[name].T @ (self.A[name] @ (p.ravel() - self.c[name])) + p.ravel() ** 3).reshape(p.shape)
            for name, p in weights.items()
        }

    def weights(self) -> Weights:
        """A copy of every tensor."""
        return {name: parameter.detach().numpy().copy() for name, parameter in self.named_parameters()}


def rate_factor(step: int) -> float:
    """A warm-up of four steps; 1 is the first step."""
    return min(1.0, step / 4)


def trajectory(
    settings: OptimizerSettings, seen: Callable[[Problem, torch.optim.Optimizer], None] = lambda *_: None
) -> list[Weights]:
    """Weights before the first and after each of 50 updates, none of which writes into a gradient.

    seen: called after each update.
    """
    problem = Problem()
    optimizer = settings.new(settings.groups(problem))
    weights = [problem.weights()]
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * rate_factor(step) * group.get("lr_factor", 1.0)
        gradients = problem.gradient(weights[-1])
        for name, parameter in problem.named_parameters():
            parameter.grad = torch.from_numpy(gradients[name].copy())
        optimizer.step()
        left = {name: parameter.grad for name, parameter in problem.named_parameters()}
        if any(grad is None or not np.array_equal(grad.numpy(), gradients[name]) for name, grad in left.items()):
            raise ValueError(f"optimizer {settings.kind}: its update writes into a gradient")
        weights.append(problem.weights())
        seen(problem, optimizer)
    return weights


def largest_difference(these: list[Weights], those: list[Weights]) -> float:
    """Over all steps and tensors, relative to the largest weight."""
    largest = max(np.abs(p).max() for weights in those for p in weights.values())
    differences = [np.abs(a[name] - b[name]).max() for a, b in zip(these, those, strict=True) for name in a]
    return float(max(differences) / largest)


def weighted_sums(weights: list[Weights]) -> list[float]:
    """A sum of all weights, each with a fixed factor of its own, before the first and after each update."""
    rng = np.random.default_rng(0)
    factors = {name: rng.normal(size=p.shape) for name, p in weights[0].items()}
    return [sum(float((factors[name] * p).sum()) for name, p in at.items()) for at in weights]


def trajectory_file(kind: str) -> Path:
    """Where the sums of an optimizer that equals no other one are stored, a line for each update."""
    return Path(__file__).parent / "trajectories" / f"{kind}.txt"
