"""Milliseconds per token gradient, several ways, on one thread: python benchmarks/gradients.py

d = 256, 4 layers, 8 heads, feed-forward 1,024, 8 sequences of 128 predictions, vocabulary 4,096 and 50,304. The slow
ways are timed on a few tokens or positions spread over the sequence, everything else on all of them. All ways in turns
in one run; medians of 3 turns of processor time.
"""

from collections.abc import Callable
from functools import partial
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from zerosum.gradients._exact import exact_sums, layout_of
from zerosum.gradients._first_order import first_order
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._passes import changes_of, net_sums
from zerosum.gradients._sampled import sampled_mass
from zerosum.gradients.batches import Batch
from zerosum.gradients.parameters import trainable
from zerosum.losses import token_losses

WIDTH, LAYERS, HEADS, INNER, SEQUENCES, POSITIONS = 256, 4, 8, 1_024, 8, 128
TURNS, ORACLE_TOKENS, BY_POSITION, SAMPLED = 3, 8, (31, 95), 256
ORACLE, BY_PASS = "oracle, one backward pass a token", "one backward pass a position"
BATCHED = "the same, gradients of all sequences in one product"
EXACT, WITH_NUMBERS = "exact sums", "exact sums, with the numbers of each token and an update"
FIRST_ORDER = "first-order changes"
SAMPLED_MASS = f"sampled: sums of |g| from {SAMPLED} of 4,096 tokens"
SAMPLED_LOSSES, SAMPLED_NET = "sampled: losses of all 4,096", "sampled: sums of g by backward passes"
SAMPLED_CHANGES, SAMPLED_WHOLE = "sampled: first-order changes", "sampled: all four together"
OF_SAMPLED = (SAMPLED_MASS, SAMPLED_LOSSES, SAMPLED_NET, SAMPLED_CHANGES)


def model_and_tokens(vocabulary: int, sequences: int) -> tuple[Any, Any]:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=INNER, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, max_position_embeddings=POSITIONS, tie_word_embeddings=False,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), torch.randint(0, vocabulary, (sequences, POSITIONS + 1))


def by_position(
    model: Any, tokens: Any, positions: tuple[int, ...], batched: bool = False
) -> tuple[dict[int, Any], dict[int, Any]]:
    """One backward pass for each position over the batch, graph retained; each sequence's gradient of each parameter is
    formed from what hooks see, and its absolute value added up. The method of the paper's code, written plainly.

    batched: gradients of all sequences are formed together, which is shorter and needs their room; else one at a time.
    Returns sum_i g_ij and sum_i |g_ij| of these positions by the identity of each parameter.
    """
    net, mass = ({id(one): torch.zeros_like(one) for one in model.parameters()} for _ in range(2))

    def formed(module: Any, x: Any, gradient: Any) -> Any:
        """The gradient of one sequence's token."""
        if isinstance(module, nn.Linear):
            return gradient.T @ x
        if isinstance(module, nn.Embedding):
            return torch.zeros_like(module.weight).index_add_(0, x, gradient)
        return (gradient * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + module.variance_epsilon)).sum(0)

    def add(module: Any, inputs: Any, gradients: Any) -> None:
        if batched and isinstance(module, nn.Linear):
            every = torch.einsum("sto,sti->soi", gradients, inputs)
            net[id(module.weight)] += every.sum(0)
            mass[id(module.weight)] += every.abs().sum(0)
            return
        for x, gradient in zip(inputs, gradients, strict=True):
            one = formed(module, x, gradient)
            net[id(module.weight)] += one
            mass[id(module.weight)] += one.abs_()

    def remember(module: Any, inputs: Any, output: Any) -> None:
        output.register_hook(lambda gradient: add(module, inputs[0].detach(), gradient))

    layers = [module for module in model.modules() if hasattr(module, "weight")]
    hooks = [one.register_forward_hook(remember) for one in layers]
    logits = model(tokens[:, :-1]).logits
    for hook in hooks:
        hook.remove()
    losses = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    losses = losses.view(len(tokens), -1)
    for k in positions:
        torch.autograd.grad(losses[:, k].sum(), model.model.embed_tokens.weight, retain_graph=True)
    return net, mass


def milliseconds(work: Callable[[], Any], count: int) -> float:
    began = process_time()
    work()
    return 1_000 * (process_time() - began) / count


def arithmetic_floor(model: Any) -> float:
    """Milliseconds of the products that form each token's gradient of the matrices alone, at this machine's speed."""
    x, y = torch.randn(INNER, POSITIONS), torch.randn(POSITIONS, WIDTH)
    took = milliseconds(lambda: [x @ y for _ in range(200)], 200)
    per_second = 2 * x.numel() * y.shape[1] / took
    matrices = sum(one.tensor.numel() for one in trainable(model) if one.kind == "matrix")
    return 2 * matrices * (POSITIONS + 1) / 2 / per_second


def ways_of(vocabulary: int, model: Any, tokens: Any) -> dict[str, Callable[[], float]]:
    """Way -> milliseconds a token."""
    _, many = model_and_tokens(vocabulary, 32)
    parameters, layout = trainable(model), layout_of(model, tokens)
    update = {one.name: 1e-3 * torch.randn_like(one.tensor) for one in parameters}
    spread = [(s, 16 * s + 7) for s in range(ORACLE_TOKENS)]
    batch = Batch(np.arange(len(many)), many)
    losses = token_losses(model, many)
    n_few, n_many = SEQUENCES * POSITIONS, len(many) * POSITIONS

    def sampled() -> Any:
        return sampled_mass(model, many, update, n_tokens=SAMPLED, losses=losses, layout=layout)

    work: dict[str, tuple[Callable[[], Any], int]] = {
        ORACLE: (lambda: oracle_sums(model, tokens, which=spread), ORACLE_TOKENS),
        BY_PASS: (lambda: by_position(model, tokens, BY_POSITION), SEQUENCES * len(BY_POSITION)),
        BATCHED: (lambda: by_position(model, tokens, BY_POSITION, True), SEQUENCES * len(BY_POSITION)),
        EXACT: (lambda: exact_sums(model, tokens, layout=layout), n_few),
        WITH_NUMBERS: (lambda: exact_sums(model, tokens, update, per_token=True, layout=layout), n_few),
        FIRST_ORDER: (lambda: first_order(model, tokens, update), n_few),
        SAMPLED_MASS: (sampled, n_many),
        SAMPLED_LOSSES: (lambda: token_losses(model, many), n_many),
        SAMPLED_NET: (lambda: net_sums(model, batch, parameters, vocabulary), n_many),
        SAMPLED_CHANGES: (lambda: changes_of(model, batch, update, vocabulary), n_many),
    }
    return {name: partial(milliseconds, *one) for name, one in work.items()}


def measure(vocabulary: int) -> None:
    model, tokens = model_and_tokens(vocabulary, SEQUENCES)
    ways = ways_of(vocabulary, model, tokens)
    times: dict[str, list[float]] = {name: [] for name in ways}
    floors = []
    for _ in range(TURNS):
        floors.append(arithmetic_floor(model))
        for name, way in ways.items():
            times[name].append(way())
    took = {name: median(values) for name, values in times.items()}
    took[SAMPLED_WHOLE] = sum(took[name] for name in OF_SAMPLED)
    print(f"\nVocabulary {vocabulary:,}\n")
    print("| way | ms a token | times faster than one backward pass a position | than that in one product |")
    print("|---|---|---|---|")
    for name, value in took.items():
        print(f"| {name} | {value:.3g} | {took[BY_PASS] / value:.1f} | {took[BATCHED] / value:.1f} |")
    print(f"\nExact: {median(floors) / took[EXACT]:.0%} of the floor set by the products that form the gradients.")
    print(f"Numbers of each token take {took[WITH_NUMBERS] / took[EXACT] - 1:.0%} more.")
    print(f"Sampled sums of |g|: {took[EXACT] / took[SAMPLED_MASS]:.1f} times faster than exact sums;", end=" ")
    print(f"a whole sampled measurement: {took[EXACT] / took[SAMPLED_WHOLE]:.1f} times.")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for size in (4_096, 50_304):
        measure(size)
