"""Milliseconds per token gradient for several methods, on one thread: python benchmarks/gradients.py

d = 256, 4 layers, 8 heads, feed-forward 1,024, 8 sequences of 128 predictions, vocabulary 4,096 and 50,304. The slow
methods are timed on a few tokens or positions spread over the sequence, all others on every token. One run times all
methods in turn, 3 times; the results are medians of processor time.
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
from zerosum.gradients._passes import changes_of
from zerosum.gradients._sampled import sampled_mass
from zerosum.gradients._sequence_sums import Sketcher, sequence_sums
from zerosum.gradients.batches import Batch
from zerosum.gradients.parameters import trainable
from zerosum.losses import token_losses

WIDTH, LAYERS, HEADS, INNER, SEQUENCES, POSITIONS = 256, 4, 8, 1_024, 8, 128
TURNS, ORACLE_TOKENS, BY_POSITION, SAMPLED = 3, 8, (31, 95), 256
ORACLE, BY_PASS = "oracle, one backward pass per token", "one backward pass per position"
BATCHED = "the same, gradients of all sequences in one product"
EXACT, WITH_NUMBERS = "exact sums", "exact sums, with the numbers of each token and an update"
FIRST_ORDER = "first-order changes"
SAMPLED_MASS = f"sampled: sums of |g| from {SAMPLED} of 4,096 tokens"
SAMPLED_LOSSES, SAMPLED_NET = "sampled: losses of all 4,096", "sampled: sums of g by backward passes"
SAMPLED_CHANGES, SAMPLED_WHOLE = "sampled: first-order changes", "sampled: all four together"
SAMPLED_PARTS = (SAMPLED_MASS, SAMPLED_LOSSES, SAMPLED_NET, SAMPLED_CHANGES)


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
    """Sums of token gradients by one backward pass per position over the batch, as in the paper's code.

    Hooks give the inputs of each layer and the gradients of its outputs; from these, the gradient of each parameter is
    computed for each sequence, and its values and absolute values are added up. positions: those that are summed.
    batched: compute the gradients of all sequences in one product, which needs memory for all of them; otherwise one
    sequence at a time.
    Returns sum_i g_ij and sum_i |g_ij| over these positions; keys: identity of each parameter.
    """
    net, mass = ({id(parameter): torch.zeros_like(parameter) for parameter in model.parameters()} for _ in range(2))

    def weight_gradient(module: Any, x: Any, gradient: Any) -> Any:
        """Gradient of the module's weight for the token of one sequence. x: input; gradient: of the output."""
        if isinstance(module, nn.Linear):
            return gradient.T @ x
        if isinstance(module, nn.Embedding):
            return torch.zeros_like(module.weight).index_add_(0, x, gradient)
        return (gradient * x * torch.rsqrt(x.square().mean(-1, keepdim=True) + module.variance_epsilon)).sum(0)

    def add(module: Any, inputs: Any, gradients: Any) -> None:
        if batched and isinstance(module, nn.Linear):
            weight_gradients = torch.einsum("sto,sti->soi", gradients, inputs)
            net[id(module.weight)] += weight_gradients.sum(0)
            mass[id(module.weight)] += weight_gradients.abs().sum(0)
            return
        for x, output_gradient in zip(inputs, gradients, strict=True):
            of_sequence = weight_gradient(module, x, output_gradient)
            net[id(module.weight)] += of_sequence
            mass[id(module.weight)] += of_sequence.abs_()

    def register_add(module: Any, inputs: Any, output: Any) -> None:
        output.register_hook(lambda gradient: add(module, inputs[0].detach(), gradient))

    layers = [module for module in model.modules() if hasattr(module, "weight")]
    hooks = [layer.register_forward_hook(register_add) for layer in layers]
    logits = model(tokens[:, :-1]).logits
    for hook in hooks:
        hook.remove()
    losses = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    losses = losses.view(len(tokens), -1)
    for k in positions:
        torch.autograd.grad(losses[:, k].sum(), model.model.embed_tokens.weight, retain_graph=True)
    return net, mass


def milliseconds(run: Callable[[], Any], count: int) -> float:
    """Processor time of a call, divided by `count`."""
    start = process_time()
    run()
    return 1_000 * (process_time() - start) / count


def arithmetic_floor(model: Any) -> float:
    """Milliseconds per token of only the products that give the gradients of the matrices, at this machine's speed."""
    x, y = torch.randn(INNER, POSITIONS), torch.randn(POSITIONS, WIDTH)
    duration = milliseconds(lambda: [x @ y for _ in range(200)], 200)
    operations_per_ms = 2 * x.numel() * y.shape[1] / duration
    n_matrix_weights = sum(parameter.tensor.numel() for parameter in trainable(model) if parameter.kind == "matrix")
    return 2 * n_matrix_weights * (POSITIONS + 1) / 2 / operations_per_ms


def timers(vocabulary: int, model: Any, tokens: Any) -> dict[str, Callable[[], float]]:
    """Name of each method -> a function that runs it and returns milliseconds per token."""
    _, large_batch = model_and_tokens(vocabulary, 32)  # the tokens of the sampled methods
    parameters, layout = trainable(model), layout_of(model, tokens)
    update = {parameter.name: 1e-3 * torch.randn_like(parameter.tensor) for parameter in parameters}
    oracle_tokens = [(s, 16 * s + 7) for s in range(ORACLE_TOKENS)]
    batch = Batch(np.arange(len(large_batch)), large_batch)
    losses = token_losses(model, large_batch)
    n_tokens, n_large_batch = SEQUENCES * POSITIONS, len(large_batch) * POSITIONS

    def sampled() -> Any:
        return sampled_mass(model, large_batch, update, n_tokens=SAMPLED, losses=losses, layout=layout)

    runs: dict[str, tuple[Callable[[], Any], int]] = {
        ORACLE: (lambda: oracle_sums(model, tokens, which=oracle_tokens), ORACLE_TOKENS),
        BY_PASS: (lambda: by_position(model, tokens, BY_POSITION), SEQUENCES * len(BY_POSITION)),
        BATCHED: (lambda: by_position(model, tokens, BY_POSITION, True), SEQUENCES * len(BY_POSITION)),
        EXACT: (lambda: exact_sums(model, tokens, layout=layout), n_tokens),
        WITH_NUMBERS: (lambda: exact_sums(model, tokens, update, per_token=True, layout=layout), n_tokens),
        FIRST_ORDER: (lambda: first_order(model, tokens, update), n_tokens),
        SAMPLED_MASS: (sampled, n_large_batch),
        SAMPLED_LOSSES: (lambda: token_losses(model, large_batch), n_large_batch),
        SAMPLED_NET: (lambda: sequence_sums(model, batch, Sketcher(parameters), parameters), n_large_batch),
        SAMPLED_CHANGES: (lambda: changes_of(model, batch, update, vocabulary), n_large_batch),
    }
    return {name: partial(milliseconds, run, count) for name, (run, count) in runs.items()}


def measure(vocabulary: int) -> None:
    model, tokens = model_and_tokens(vocabulary, SEQUENCES)
    timer_of = timers(vocabulary, model, tokens)
    times: dict[str, list[float]] = {name: [] for name in timer_of}
    floors = []
    for _ in range(TURNS):
        floors.append(arithmetic_floor(model))
        for name, timer in timer_of.items():
            times[name].append(timer())
    durations = {name: median(values) for name, values in times.items()}
    durations[SAMPLED_WHOLE] = sum(durations[name] for name in SAMPLED_PARTS)
    print(f"\nVocabulary {vocabulary:,}\n")
    print("| method | ms per token | times faster than one backward pass per position | than that in one product |")
    print("|---|---|---|---|")
    for name, value in durations.items():
        print(f"| {name} | {value:.3g} | {durations[BY_PASS] / value:.1f} | {durations[BATCHED] / value:.1f} |")
    share = median(floors) / durations[EXACT]
    print(f"\nThe products that give the gradients alone would take {share:.0%} of the time of exact sums.")
    print(f"The numbers of each token take {durations[WITH_NUMBERS] / durations[EXACT] - 1:.0%} more.")
    mass_factor = durations[EXACT] / durations[SAMPLED_MASS]
    print(f"Sampled sums of |g|: {mass_factor:.1f} times faster than exact sums;", end=" ")
    print(f"a whole sampled measurement: {durations[EXACT] / durations[SAMPLED_WHOLE]:.1f} times.")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for size in (4_096, 50_304):
        measure(size)
