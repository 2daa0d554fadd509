"""What users call, against the oracle written out, published values, and the identities that tie the numbers."""

import json

import numpy as np
import pytest
import torch
from test_exact import odd
from test_first_order import random_update
from tiny import VOCABULARY, moved_model, tiny_model

import zerosum
from zerosum.errors import InputError
from zerosum.gradients import _plan
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients.parameters import layer_of, trainable


def written_out(model, tokens, update):
    """g [N, P] and u [P] of all tokens and coordinates, and the parameters' names for each coordinate."""
    g = torch.stack([torch.cat([v.flatten() for v in one.values()]) for one in token_gradients(model, tokens)])
    u = torch.cat([update[p.name].flatten() for p in trainable(model)])
    names = np.concatenate([[p.name] * p.tensor.numel() for p in trainable(model)])
    return g, u, names


@pytest.mark.parametrize("method", ["exact", "general", "oracle"])
def test_every_number_is_that_of_the_written_out_matrix(method, tokens):
    model = moved_model("llama", tied=False)
    update = random_update(model)
    found = zerosum.gradient_interference(model, tokens.numpy(), update, method=method)
    g, u, names = written_out(model, tokens, update)
    p, q = g * u, (g * u).sum(1)
    mass = float(p.abs().sum())
    assert (found.N, found.n_sequences, found.n_positions, found.n_sampled) == (36, 3, 12, 36)
    assert found.method == method
    assert found.C_g == pytest.approx(float(p.sum(0).abs().sum()) / mass, rel=1e-9)
    assert found.C_ug == pytest.approx(float(q.abs().sum()) / mass, rel=1e-6)
    assert found.C_uG == pytest.approx(float(p.sum().abs() / p.sum(0).abs().sum()), rel=1e-9)
    assert found.M_first_order == pytest.approx(float(q.abs().mean()), rel=1e-6)
    assert pytest.approx(found.C_g * found.C_uG / found.C_ug, rel=1e-6) == 1 - found.D_first_order
    ratio = (1 - g.sum(0).abs() / g.abs().sum(0)).numpy()
    apart = np.isin(names, ["model.embed_tokens.weight", "lm_head.weight"])
    assert found.D_grad == pytest.approx(np.nanmean(ratio[~apart]), rel=1e-9)
    for one in found.parameters:
        mine = names == one.name
        assert one.D_grad == pytest.approx(np.nanmean(ratio[mine]), rel=1e-9)
        assert one.C_g == pytest.approx(float(p[:, mine].sum(0).abs().sum() / p[:, mine].abs().sum()), rel=1e-9)
        assert one.C_ug == pytest.approx(float(p[:, mine].sum(1).abs().sum() / p[:, mine].abs().sum()), rel=1e-9)
    for one in found.layers:
        mine = np.array([layer_of(name) == one.name for name in names])
        assert one.C_ug == pytest.approx(float(p[:, mine].sum(1).abs().sum() / p[:, mine].abs().sum()), rel=1e-9)
    np.testing.assert_allclose(found.per_token["norm_l1"].ravel(), g.abs().sum(1), rtol=1e-9)
    np.testing.assert_allclose(found.per_token["norm_l2"].ravel(), g.norm(dim=1), rtol=1e-9)
    np.testing.assert_allclose(found.per_token["moved"].ravel(), p.abs().sum(1), rtol=1e-9)
    matrices = np.isin(names, [one.name for one in found.parameters if one.kind == "matrix"])
    assert found.D_grad_matrices == pytest.approx(np.nanmean(ratio[matrices]), rel=1e-9)
    np.testing.assert_allclose(found.changes.ravel(), q, rtol=0, atol=1e-6 * float(q.abs().max()))


@pytest.mark.parametrize(("case", "split"), [("early", "train"), ("late", "eval")])
def test_a_published_step(case, split, reference_data):
    from transformers import AutoModelForCausalLM

    folder = reference_data / "gold" / case
    before, after = (AutoModelForCausalLM.from_pretrained(folder / which) for which in ("before", "after"))
    expected = json.loads((folder / f"expected_{split}.json").read_text())
    found = zerosum.gradient_interference(before, np.load(folder / f"tokens_{split}.npy"), after)
    assert found.method == "exact"
    assert expected["N"] == found.N
    for name in ("C_g", "C_ug", "C_uG", "D_first_order", "M_first_order"):
        assert getattr(found, name) == pytest.approx(expected["tied"][name], rel=1e-5), name
    assert found.D_grad_matrices == pytest.approx(expected["D_grad"], rel=1e-5)
    assert (found.D_loss, found.M_loss) == pytest.approx((expected["D_loss"], expected["M_loss"]), rel=1e-5)


def test_layers_add_up_to_the_model(tokens):
    model = moved_model("gpt2")
    found = zerosum.gradient_interference(model, tokens, random_update(model))
    for sets in (found.layers, found.parameters):
        assert sum(one.sums.numel for one in sets) == sum(p.tensor.numel() for p in trainable(model))
        mass, net = (sum(getattr(one.sums, which) for one in sets) for which in ("mass", "net"))
        assert net / mass == pytest.approx(found.C_g, rel=1e-12)
        assert mass == pytest.approx(found.M_first_order * found.N / found.C_ug, rel=1e-12)
    assert [one.name for one in found.layers][-3:] == ["transformer.h.0", "transformer.h.1", "transformer.ln_f"]


def test_gradient_descent_on_the_same_tokens_moves_every_coordinate_one_way(tokens):
    model = moved_model("qwen3")
    gradients = torch.autograd.grad(model(tokens, labels=tokens).loss, [p.tensor for p in trainable(model)])
    update = {p.name: -0.1 * g for p, g in zip(trainable(model), gradients, strict=True)}
    assert zerosum.gradient_interference(model, tokens, update).C_uG == pytest.approx(1.0, abs=1e-9)


def test_a_sample_says_how_sure_it_is():
    model = moved_model("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (24, 33), generator=torch.Generator().manual_seed(5))
    update = random_update(model)
    exact, found = (
        zerosum.gradient_interference(model, tokens, update, method=m, n_sampled=192) for m in ("exact", "sampled")
    )
    assert (found.n_sampled, found.N) == (192, 768)
    assert found.C_uG == pytest.approx(exact.C_uG, rel=1e-6)  # some norms are in float32
    assert found.D_first_order == exact.D_first_order
    for name in ("C_g", "C_ug", "D_grad", "D_grad_matrices"):
        low, high = found.intervals[name]
        assert low < getattr(exact, name) < high, name
        assert low < getattr(found, name) < high, name
        assert name not in exact.intervals
    document = found.to_json()
    embedding = document["parameters"][0]
    assert (embedding["D_grad"], embedding["touched"]) == (None, None)
    assert "sample" in embedding["D_grad_reason"]
    assert document["intervals"]["D_first_order"] == list(found.first_order.interval.D)


def test_without_an_update_reasons_stand_in_place_of_numbers(tokens):
    document = zerosum.gradient_interference(moved_model("gpt2"), tokens).to_json()
    json.dumps(document, allow_nan=False)
    assert 0 < document["D_grad"] < 1
    for name in ("C_g", "C_ug", "C_uG", "D_loss", "M_first_order", "null", "first_order", "loss_change"):
        assert document[name] is None, name
        assert document[f"{name}_reason"] == "no update was given"
    still = zerosum.gradient_interference(moved_model("gpt2"), tokens, {}).to_json()
    assert "moves nothing" in still["C_g_reason"]


def test_auto_samples_what_would_take_too_long(monkeypatch):
    model = moved_model("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (8, 33), generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(_plan, "exact_seconds", lambda model, tokens, layout, update: 10.0)
    found = zerosum.gradient_interference(model, tokens, n_sampled=64)
    assert found.method == "sampled"
    assert found.to_json()["estimated_seconds"] == 8 * 32 * 10.0
    assert "10 minutes" in found.notes[0]
    with pytest.raises(InputError, match=r"43 minutes.*larger budget"):
        zerosum.gradient_interference(model, tokens, n_sampled=256)


def test_a_model_that_sees_its_labels_is_told_apart(tokens):
    found = zerosum.gradient_interference(tiny_model("bert"), tokens)
    assert found.method == "general"
    assert "its own label" in found.notes[-1]
    assert not any("label" in note for note in zerosum.gradient_interference(moved_model("llama"), tokens).notes)


def test_a_model_of_own_layers_takes_the_general_path_and_says_so(tokens):
    model = odd(own_parameter=True)
    found = zerosum.gradient_interference(model, tokens)
    assert found.method == "general"
    assert "Odd" in found.notes[0]
    with pytest.raises(InputError, match="general"):
        zerosum.gradient_interference(model, tokens, method="sampled")


def test_only_the_head_is_trained(tokens):
    model = moved_model("llama", tied=False)
    for name, one in model.named_parameters():
        one.requires_grad_(name == "lm_head.weight")
    found, expected = (zerosum.gradient_interference(model, tokens, method=method) for method in ("exact", "oracle"))
    assert found.parameters[0].D_grad == pytest.approx(expected.parameters[0].D_grad, rel=1e-9)


def test_one_token_and_equal_tokens_are_no_reason_for_the_general_path():
    model = moved_model("llama").float()
    for tokens in (np.array([[3, 5]]), np.full((4, 7), 3)):
        assert zerosum.gradient_interference(model, tokens).method == "exact"
