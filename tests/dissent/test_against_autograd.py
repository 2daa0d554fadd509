"""Every number of whole models against autograd, one token after another, and where the answer is known."""

import numpy as np
import pytest
import torch
from tiny import moved_model, tiny_model
from torch.nn import functional
from written_out import Apart, cos, exact, numbers_of, read, written_out

from zerosum.dissent import NUMBERS as READ
from zerosum.dissent import _measurement
from zerosum.dissent import measure_dissent as dissent
from zerosum.gradients.parameters import trainable


@pytest.mark.parametrize(
    ("model", "scale"),
    [
        (lambda: exact("llama", tied=False), 1.0),
        (lambda: moved_model("gpt2"), 1.0),
        (lambda: Apart(), 1.0),
        (lambda: Apart(lambda logits: 2.5 * logits), 2.5),
    ],
    ids=["llama", "gpt2-tied", "bias", "scale"],
)
def test_every_number_is_that_of_forces_written_out_token_by_token(model, scale, tokens):
    model = model()
    tokens = tokens[:2, :8] % 7
    found = dissent(model, tokens.numpy())
    expected, names = written_out(model, tokens, scale)
    per_token = [numbers_of(*at_hidden) for at_hidden, _, _ in expected]
    for name in READ:
        assert found.per_token[name].ravel() == pytest.approx([one[name] for one in per_token], rel=1e-9, abs=1e-9)
        assert found.token[name].mean == pytest.approx(np.mean([one[name] for one in per_token]), rel=1e-9)
    head = [sum(at_head[side] for _, at_head, _ in expected) for side in range(2)]
    assert read(found.head) == pytest.approx(numbers_of(*head), rel=1e-9)
    labels = sorted(set(tokens[:, 1:].flatten().tolist()))
    rows = [numbers_of(head[0][v], head[1][v]) for v in labels]
    for name in READ:
        assert found.rows[name].mean == pytest.approx(np.mean([one[name] for one in rows]), rel=1e-9)
        assert found.rows[name].quantiles[50] == pytest.approx(np.median([one[name] for one in rows]), rel=1e-9)
    assert (found.rows["dissent"].N, found.n_unlabelled) == (len(labels), len(head[0]) - len(labels))
    body = [[sum(one[2][side][k] for one in expected) for side in range(2)] for k in range(len(names))]
    assert [one.name for one in found.parameters] == names
    for one, both in zip(found.parameters, body, strict=True):
        if both[0].any():
            assert read(one.forces) == pytest.approx(numbers_of(*both), rel=1e-7, abs=1e-9), one.name
    whole = [torch.cat([both[side].flatten() for both in body]) for side in range(2)]
    assert read(found.body) == pytest.approx(numbers_of(*whole), rel=1e-9)
    assert found.body.numel == len(whole[0])


@pytest.mark.parametrize("family", ["llama", "olmo2", "qwen3", "gpt2", "gpt_neox"])
@pytest.mark.parametrize("tied", [True, False])
def test_all_forces_together_are_minus_the_gradient_of_the_summed_loss(family, tied, tokens, monkeypatch):
    """Through the hidden state and, at the head, beside it; of a tied matrix both paths add up to its gradient."""
    model, kept = exact(family, tied=tied), []
    real = _measurement.of_body
    monkeypatch.setattr(_measurement, "of_body", lambda sums, *more: kept.append(sums) or real(sums, *more))
    found = dissent(model, tokens.numpy())
    sums, head = kept[0], model.get_output_embeddings().weight
    logits = model(tokens[:, :-1]).logits
    loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="sum")
    parameters = {one.name: one.tensor for one in trainable(model)}
    gradients = dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values())), strict=True))
    assert found.loss.mean == pytest.approx(loss.item() / found.N, rel=1e-6)
    for name, gradient in gradients.items():
        both = sums.body.get(name)
        whole = torch.zeros_like(gradient) if both is None else both.attraction + both.repulsion
        if parameters[name] is head:
            whole = whole + sums.head.attraction + sums.head.repulsion
        assert torch.allclose(whole, -gradient, rtol=0, atol=1e-9), name
    assert tied == any("embedding and head" in note for note in found.notes)
    assert tied == (len(sums.body) == len(parameters))


def stationary():
    """A bigram model whose chances are the frequencies of its data: its loss cannot fall any further."""
    tokens = np.array([[0, 0], [0, 1], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [1, 2], [2, 1], [2, 0], [2, 2]])
    model = Apart(width=3, vocabulary=3, bias=False)
    counts = np.zeros((3, 3))
    np.add.at(counts, (tokens[:, 0], tokens[:, 1]), 1)
    model.head.weight.data = torch.eye(3).double()
    model.body.weight.data = torch.as_tensor(np.log(counts / counts.sum(1, keepdims=True)))
    return model, tokens


def test_dissent_of_a_batch_is_total_where_its_loss_is_stationary():
    model, tokens = stationary()
    found = dissent(model, tokens)
    for one in (found.head, found.body, found.parameters[0].forces):
        assert read(one) == pytest.approx(dict.fromkeys(READ, 1.0), abs=1e-9)
    assert found.rows["dissent"].mean == pytest.approx(1.0)
    assert found.token["dissent"].mean < 0.9  # single tokens still pull
    model.body.weight.data += torch.eye(3)
    moved = dissent(model, tokens)
    assert max(moved.head.dissent, moved.body.dissent) < 0.999


def test_logits_times_a_factor_are_the_models_own():
    model = tiny_model("cohere", vocab_size=9, logit_scale=0.25, pad_token_id=0).double()
    found = dissent(model, np.arange(16).reshape(2, 8) % 9)
    assert any("0.25" in note for note in found.notes)
    expected, _ = written_out(model, torch.arange(16).reshape(2, 8) % 9, scale=0.25)
    assert found.token["dissent"].mean == pytest.approx(np.mean([cos(*one[0]) for one in expected]), rel=1e-9)
