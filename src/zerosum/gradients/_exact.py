"""Sums over all tokens without storing a single per-token gradient: exact, for models made of known layers.

One forward pass for each block of positions; then one backward pass for each position, in which every sequence of the
batch has one token. The head is apart: its gradients have rank one, so that one product of absolute values does it.

Letters: S sequences of L = T + 1 tokens, V vocabulary, d width, k position.
"""

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import torch
from torch.nn import functional

from zerosum.gradients._layers import recording
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients._parameters import trainable
from zerosum.gradients._per_token import Tally
from zerosum.gradients._recorder import Product, Recorder, Unsupported
from zerosum.gradients._sums import GradientSums

BLOCK = 32  # positions that share one forward pass; what lies beyond the token's own position is computed in vain
TIMED = 4  # positions that are timed
CLOSE = 1e-4  # relative to the largest gradient: what rounding may do in float32


def exact_sums(
    model: Any,
    tokens: Any,
    update: Mapping[str, Any] | None = None,
    *,
    per_token: bool = False,
    block: int = BLOCK,
) -> GradientSums:
    """`GradientSums` over every token. model: in evaluation mode. tokens: [S, L] ids as a tensor on its device.

    update: u by name, for the numbers of each token; a missing one does not move. per_token: whether to give them.

    Raises Unsupported where the model has a layer that no rule is known for, or uses its weights in another way.
    """
    head = head_apart(model, tokens)
    check_causal(model, tokens)
    check_one_token(model, tokens, head)
    parameters, (S, T) = trainable(model), (tokens.shape[0], tokens.shape[1] - 1)
    tally = Tally(parameters, (S, T), update) if per_token else None
    net, mass = passes(model, tokens, head, range(T), block, tally)
    return GradientSums(net, mass, S * T, tokens=tally.numbers() if tally else None)


def _logits(model: Any, ids: Any) -> Any:
    output = model(ids)
    return getattr(output, "logits", output)


def head_apart(model: Any, tokens: Any) -> Any:
    """The head, where the model is its body and a linear head and nothing else comes after it; else None."""
    body, head = getattr(model, "base_model", None), getattr(model, "get_output_embeddings", lambda: None)()
    if body is None or body is model or type(head) is not torch.nn.Linear:
        return None
    weight = head.weight
    with torch.no_grad():
        few = tokens[:1, :-1]
        plain, apart = _logits(model, few), head(body(few)[0])
        close = plain.shape == apart.shape and torch.allclose(plain, apart, rtol=1e-5, atol=1e-5)
    tied = sum(one is weight for module in body.modules() for one in module.parameters(recurse=False))
    # A tied weight may be the embedding once; anything else has to be added up before absolute values are taken.
    embedding = getattr(model.get_input_embeddings(), "weight", None)
    return head if close and (tied == 0 or (tied == 1 and embedding is weight)) else None


def passes(
    model: Any, tokens: Any, head: Any, positions: Any, block: int, tally: Tally | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """net and mass over the tokens at `positions` of each sequence, float64."""
    recorder = Recorder(trainable(model), len(tokens), tally)
    with recording(model, recorder, leave_out=head):
        for part in _blocks(positions, block):
            _one_block(model, tokens, head, part, recorder)
    return recorder.take()


def _one_block(model: Any, tokens: Any, head: Any, positions: list[int], recorder: Recorder) -> None:
    recorder.begin(positions[-1] + 1)
    if head is None:
        _whole_block(model, tokens, positions, recorder)
    else:
        _block(model.base_model, head, tokens, positions, recorder)


def exact_seconds(model: Any, tokens: Any) -> float:
    """About how long `exact_sums` takes for each token, seconds, from a few positions in the middle of these sequences.

    Raises Unsupported as `exact_sums`.
    """
    head = head_apart(model, tokens)
    check_causal(model, tokens)
    check_one_token(model, tokens, head)  # warms up, too
    middle = (tokens.shape[1] - 1) // 2
    took, recorder = [], Recorder(trainable(model), len(tokens))
    with recording(model, recorder, leave_out=head):
        for count in (1, 1 + TIMED):
            began = perf_counter()
            _one_block(model, tokens, head, list(range(middle, min(middle + count, tokens.shape[1] - 1))), recorder)
            if tokens.is_cuda:
                torch.cuda.synchronize(tokens.device)
            took.append(perf_counter() - began)
    backward = max(took[1] - took[0], 0.0) / TIMED
    return (backward + max(took[0] - backward, 0.0) / BLOCK) / len(tokens)


def _blocks(positions: Any, block: int) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for k in positions:
        groups.setdefault(k // block, []).append(k)
    return list(groups.values())


def _block(body: Any, head: Any, tokens: Any, positions: list[int], recorder: Recorder) -> None:
    end = positions[-1] + 1
    hidden = body(tokens[:, :end])[0]
    rows = hidden.detach()[:, positions].requires_grad_()
    logits = head(rows)
    labels = tokens[:, [k + 1 for k in positions]]
    loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    by_logits, by_rows = torch.autograd.grad(loss, [logits, rows])
    name, bias = recorder.name(head.weight), None if head.bias is None else recorder.name(head.bias)
    recorder.of_tokens(positions)
    if name is not None:
        recorder.add_rank_one(name, Product(by_logits, rows.detach()))
    if bias is not None:
        recorder.add_whole(bias, by_logits)
    for at, k in enumerate(positions):
        recorder.of_tokens([k])
        if name is not None:
            recorder.head = {name: Product(by_logits[:, at : at + 1], rows.detach()[:, at : at + 1])}
        recorder.position = k
        start = torch.zeros_like(hidden)
        start[:, k] = by_rows[:, at]
        torch.autograd.backward(hidden, start, retain_graph=True)
        recorder.finish_pass()
    recorder.head = {}


def _whole_block(model: Any, tokens: Any, positions: list[int], recorder: Recorder) -> None:
    logits = _logits(model, tokens[:, : positions[-1] + 1])
    for k in positions:
        recorder.of_tokens([k])
        recorder.position = k
        loss = functional.cross_entropy(logits[:, k], tokens[:, k + 1], reduction="sum")
        torch.autograd.backward(loss, retain_graph=True)
        recorder.finish_pass()


def check_causal(model: Any, tokens: Any) -> None:
    """Raises Unsupported where a token's loss depends on what comes after it: then its prefix is not enough."""
    half = tokens.shape[1] // 2
    with torch.no_grad():
        whole, prefix = _logits(model, tokens[:1, :-1])[:, :half], _logits(model, tokens[:1, :half])
    if not torch.allclose(whole, prefix, rtol=1e-4, atol=1e-4 * float(whole.abs().max())):
        raise Unsupported("a model in which a token sees what comes after it")


def check_one_token(model: Any, tokens: Any, head: Any) -> None:
    """Compare the last token of the first sequence with its own backward pass: a weight may be used past its layer.

    Raises Unsupported where they differ.
    """
    one = tokens[:1]
    k = tokens.shape[1] - 2
    net, mass = passes(model, one, head, [k], BLOCK)
    expected = next(token_gradients(model, one, [(0, k)]))
    for name, gradient in expected.items():
        scale = float(gradient.abs().max())
        gaps = ((net[name] - gradient).abs().max(), (mass[name] - gradient.abs()).abs().max())
        if max(map(float, gaps)) > CLOSE * scale + 1e-12:
            raise Unsupported(f"a model that uses {name} in a way its layers do not show")
