"""What users call, against the oracle written out, published values, and the identities that tie the numbers."""

import json

import numpy as np
import pytest
import torch
from test_exact import odd
from test_first_order import random_update
from tiny_models import VOCABULARY, tiny
from transformers import BertConfig, BertForMaskedLM, T5Config, T5ForConditionalGeneration

import zerosum
from zerosum.errors import InputError
from zerosum.gradients import _passes, _plan
from zerosum.gradients._oracle import token_gradients
from zerosum.gradients._update import update_between
from zerosum.gradients._verify import verify
from zerosum.gradients.parameters import layer_of, trainable

T5 = {"vocab_size": VOCABULARY, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2}


def written_out(model, tokens, update):
    """g [N, P] and u [P] of all tokens and coordinates, and the parameters' names for each coordinate."""
    g = torch.stack([torch.cat([v.flatten() for v in one.values()]) for one in token_gradients(model, tokens)])
    u = torch.cat([update[p.name].flatten() for p in trainable(model)])
    names = np.concatenate([[p.name] * p.tensor.numel() for p in trainable(model)])
    return g, u, names


@pytest.mark.parametrize("method", ["exact", "general", "oracle"])
def test_every_number_is_that_of_the_written_out_matrix(method, tokens):
    model = tiny("llama", tied=False)
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
    model = tiny("gpt2")
    found = zerosum.gradient_interference(model, tokens, random_update(model))
    for sets in (found.layers, found.parameters):
        assert sum(one.sums.numel for one in sets) == sum(p.tensor.numel() for p in trainable(model))
        mass, net = (sum(getattr(one.sums, which) for one in sets) for which in ("mass", "net"))
        assert net / mass == pytest.approx(found.C_g, rel=1e-12)
        assert mass == pytest.approx(found.M_first_order * found.N / found.C_ug, rel=1e-12)
    assert [one.name for one in found.layers][-3:] == ["transformer.h.0", "transformer.h.1", "transformer.ln_f"]


def test_gradient_descent_on_the_same_tokens_moves_every_coordinate_one_way(tokens):
    model = tiny("qwen3")
    gradients = torch.autograd.grad(model(tokens, labels=tokens).loss, [p.tensor for p in trainable(model)])
    update = {p.name: -0.1 * g for p, g in zip(trainable(model), gradients, strict=True)}
    assert zerosum.gradient_interference(model, tokens, update).C_uG == pytest.approx(1.0, abs=1e-9)


def test_the_size_of_batches_changes_nothing(tokens):
    model = tiny("olmo2")
    update = random_update(model)
    one, other = (
        zerosum.gradient_interference(model, tokens, update, tokens_per_batch=size).to_json() for size in (12, 36)
    )
    numbers = ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order", "M_loss")
    assert [one[name] for name in numbers] == pytest.approx([other[name] for name in numbers], rel=1e-9)


def test_padded_sequences_are_measured_without_their_padding(tokens):
    model = tiny("llama")
    padded = tokens.numpy().copy()
    padded[1, 6:] = -1
    found = zerosum.gradient_interference(model, padded, random_update(model))
    g, u, _ = written_out(model, tokens, random_update(model))
    kept = np.concatenate([np.arange(12), 12 + np.arange(5), 24 + np.arange(12)])
    p = g[kept] * u
    assert found.N == 29
    assert found.C_g == pytest.approx(float(p.sum(0).abs().sum() / p.abs().sum()), rel=1e-9)
    assert np.isnan(found.changes).sum() == 7
    np.testing.assert_allclose(found.changes[~np.isnan(found.changes)], p.sum(1), atol=1e-6 * float(p.sum(1).max()))


def test_a_sample_says_how_sure_it_is():
    model = tiny("llama", num_hidden_layers=1)
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


def test_batches_are_strata_of_one_sample(monkeypatch):
    model = tiny("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (24, 33), generator=torch.Generator().manual_seed(5))
    found = [
        zerosum.gradient_interference(model, tokens, random_update(model), method=m, n_sampled=96, tokens_per_batch=256)
        for m in ("exact", "sampled")
    ]
    assert found[1].n_sampled == 96
    assert found[1].intervals["C_g"][0] < found[0].C_g < found[1].intervals["C_g"][1]


def test_without_an_update_reasons_stand_in_place_of_numbers(tokens):
    document = zerosum.gradient_interference(tiny("gpt2"), tokens).to_json()
    json.dumps(document, allow_nan=False)
    assert 0 < document["D_grad"] < 1
    for name in ("C_g", "C_ug", "C_uG", "D_loss", "M_first_order", "null", "first_order", "loss_change"):
        assert document[name] is None, name
        assert document[f"{name}_reason"] == "no update was given"
    still = zerosum.gradient_interference(tiny("gpt2"), tokens, {}).to_json()
    assert "moves nothing" in still["C_g_reason"]


def test_auto_samples_what_would_take_too_long(monkeypatch):
    model = tiny("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (8, 33), generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(_plan, "exact_seconds", lambda model, tokens, layout, update: 10.0)
    found = zerosum.gradient_interference(model, tokens, n_sampled=64)
    assert found.method == "sampled"
    assert found.to_json()["estimated_seconds"] == 8 * 32 * 10.0
    assert "10 minutes" in found.notes[0]
    with pytest.raises(InputError, match=r"43 minutes.*larger budget"):
        zerosum.gradient_interference(model, tokens, n_sampled=256)


def test_a_model_that_sees_its_labels_is_told_apart(tokens):
    size = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertForMaskedLM(BertConfig(**size, intermediate_size=16))
    found = zerosum.gradient_interference(model, tokens)
    assert found.method == "general"
    assert "its own label" in found.notes[-1]
    assert not any("label" in note for note in zerosum.gradient_interference(tiny("llama"), tokens).notes)


def test_gradient_checkpointing_changes_nothing(tokens):
    model = tiny("llama")
    expected = zerosum.gradient_interference(model, tokens, random_update(model))
    model.gradient_checkpointing_enable()
    found = zerosum.gradient_interference(model.train(), tokens, random_update(model))
    for name in ("D_grad", "C_g", "C_ug", "C_uG", "D_first_order"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6), name


def test_a_model_of_own_layers_takes_the_general_path_and_says_so(tokens):
    model = odd(own_parameter=True)
    found = zerosum.gradient_interference(model, tokens)
    assert found.method == "general"
    assert "Odd" in found.notes[0]
    with pytest.raises(InputError, match="general"):
        zerosum.gradient_interference(model, tokens, method="sampled")


def test_products_are_in_full_precision_whatever_was_asked_for_outside(tokens, monkeypatch):
    seen, real = [], _passes.changes_of
    monkeypatch.setattr(_passes, "changes_of", lambda *a: seen.append(torch.get_float32_matmul_precision()) or real(*a))
    torch.set_float32_matmul_precision("high")
    try:
        zerosum.gradient_interference(tiny("llama"), tokens, random_update(tiny("llama")))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == ["highest"]


def test_the_model_is_left_as_it_was(tokens):
    model = tiny("llama", attention_dropout=0.5).train()
    model.model.layers[0].eval()
    model.model.norm.weight.requires_grad = False
    update = {name: 0.1 * value for name, value in random_update(model).items()}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    one, other = (zerosum.gradient_interference(model, tokens, update) for _ in range(2))
    assert one.to_json() == other.to_json() | {"estimated_seconds": one.seconds}
    assert "model.norm.weight" not in [p.name for p in one.parameters]
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not model.model.norm.weight.requires_grad


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda u: u | {"nothing.weight": u["lm_head.weight"]}, "no trainable parameter"),
        (lambda u: u | {"lm_head.weight": u["lm_head.weight"].T}, "shape"),
        (lambda u: u | {"lm_head.weight": u["lm_head.weight"] * float("nan")}, "not finite"),
    ],
)
def test_updates_that_do_not_fit_are_one_line(change, words, tokens):
    model = tiny("llama", tied=False)
    with pytest.raises(InputError, match=words):
        zerosum.gradient_interference(model, tokens, change(random_update(model)))


def test_an_operation_without_forward_mode_goes_by_backward_passes(tokens, monkeypatch):
    model = tiny("llama")
    update = random_update(model)
    expected = zerosum.first_order_changes(model, tokens, update)

    def refused(*arguments):
        raise NotImplementedError("Trying to use forward AD with an operation that does not support it")

    monkeypatch.setattr(_passes, "first_order", refused)
    found = zerosum.gradient_interference(model, tokens, update)
    assert "backward passes" in found.notes[-1]
    assert verify(model, tokens, update, found, K=3).first_order < 1e-6
    np.testing.assert_allclose(found.changes, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_two_updates_of_a_tied_matrix_must_agree(tokens):
    model = tiny("llama")
    update = random_update(model)
    both = update | {"lm_head.weight": update["model.embed_tokens.weight"].clone()}
    assert np.array_equal(
        zerosum.first_order_changes(model, tokens, both), zerosum.first_order_changes(model, tokens, update)
    )
    with pytest.raises(InputError, match="differs"):
        zerosum.first_order_changes(model, tokens, both | {"lm_head.weight": 2 * both["lm_head.weight"]})


@pytest.mark.parametrize(
    ("update", "words"),
    [({"lm_head.weight": "x"}, "'lm_head.weight': a str"), ({"lm_head.weight": [[1, "a"]]}, "a list"), ({}, None)],
)
def test_updates_of_the_wrong_kind_are_one_line(update, words, tokens):
    if words is None:
        assert zerosum.first_order_changes(tiny("llama"), tokens, update).any() == np.False_
        return
    with pytest.raises(InputError, match=words):
        zerosum.gradient_interference(tiny("llama", tied=False), tokens, update)


def test_units_of_different_lengths_are_one_line(tokens):
    with pytest.raises(InputError, match="unit: shape"):
        zerosum.gradient_interference(tiny("llama"), tokens, unit=[[1], [1, 2], [3]])


def test_what_cannot_be_measured_is_one_line(tokens):
    model = tiny("llama")
    with pytest.raises(InputError, match="vocabulary"):
        zerosum.gradient_interference(model, tokens + VOCABULARY)
    with pytest.raises(InputError, match="unknown"):
        zerosum.gradient_interference(model, tokens, method="best")
    with pytest.raises(InputError, match="integers"):
        zerosum.gradient_interference(model, tokens.float())
    with pytest.raises(InputError, match="nothing but padding"):
        zerosum.gradient_interference(model, -np.ones((2, 5), dtype=np.int64))
    with pytest.raises(InputError, match="too few"):
        zerosum.gradient_interference(model, tokens, method="sampled", n_sampled=3)
    with pytest.raises(InputError, match="bfloat16"):
        zerosum.gradient_interference(tiny("llama").bfloat16(), tokens)
    with pytest.raises(InputError, match="seed -1"):
        zerosum.gradient_interference(model, tokens, seed=-1)
    with pytest.raises(InputError, match=r"unit: shape \(2,\)"):
        zerosum.gradient_interference(model, tokens, unit=[0, 1])
    with pytest.raises(InputError, match="update: none"):
        zerosum.first_order_changes(model, tokens, None)
    with pytest.raises(InputError, match="lost in float32"):
        zerosum.gradient_interference(model, tokens, {"lm_head.weight": 1e-40 * torch.ones(VOCABULARY, 16)})
    with pytest.raises(InputError, match="encoder"):
        zerosum.gradient_interference(T5ForConditionalGeneration(T5Config(**T5)), tokens)
    with pytest.raises(InputError, match="not a module"):
        zerosum.gradient_interference(lambda ids: ids, tokens)
    with pytest.raises(InputError, match="shapes"):
        update_between(model, tiny("llama", intermediate_size=32))
    with pytest.raises(InputError, match="only one of them"):
        update_between(model, tiny("llama", num_hidden_layers=1))
    model.lm_head.weight.data[0, 0] = float("inf")
    with pytest.raises(InputError, match="not finite"):
        zerosum.gradient_interference(model, tokens)
    for parameter in model.parameters():
        parameter.requires_grad = False
    with pytest.raises(InputError, match="frozen"):
        zerosum.gradient_interference(model, tokens)


@pytest.mark.parametrize("method", ["exact", "sampled"])
def test_batches_are_halved_where_memory_runs_out(method, monkeypatch):
    model = tiny("llama", num_hidden_layers=1)
    tokens = torch.randint(0, VOCABULARY, (12, 33), generator=torch.Generator().manual_seed(5))
    whole = zerosum.gradient_interference(model, tokens, random_update(model), method=method, n_sampled=192)
    tried = []

    def short_of_memory(real):
        def measure(model, tokens, *arguments, **options):
            tried.append(len(tokens))
            if len(tokens) > 3:
                raise torch.OutOfMemoryError("out of memory")
            return real(model, tokens, *arguments, **options)

        return measure

    monkeypatch.setitem(_passes.SUMS, "exact", short_of_memory(_passes.SUMS["exact"]))
    monkeypatch.setattr(_passes, "sampled_mass", short_of_memory(_passes.sampled_mass))
    halved = zerosum.gradient_interference(model, tokens, random_update(model), method=method, n_sampled=192)
    assert tried == [12, 6, 3, 3, 6, 3, 3]
    assert halved.n_sampled == whole.n_sampled
    if method == "exact":
        assert halved.C_g == pytest.approx(whole.C_g, rel=1e-12)
        assert halved.D_grad == pytest.approx(whole.D_grad, rel=1e-12)
    else:
        assert abs(halved.D_grad / whole.D_grad - 1) < 0.02
        assert halved.n_sampled == 192


def test_too_little_memory_is_one_line(tokens, monkeypatch):
    monkeypatch.setattr(_plan, "free_memory", lambda device: 1_000)
    with pytest.raises(InputError, match="not enough memory"):
        zerosum.gradient_interference(tiny("llama"), tokens)


@pytest.mark.parametrize("method", ["exact", "general", "oracle"])
def test_a_module_used_twice_is_left_as_it_was_and_measured_rightly(method, tokens):
    model = tiny("llama", tied=False)
    model.model.layers[1].mlp = model.model.layers[0].mlp
    update = random_update(model)
    g, u, _ = written_out(model, tokens, update)
    kept = dict(model.named_parameters(remove_duplicate=False))
    found = zerosum.gradient_interference(model, tokens, update, method=method)
    p = g * u
    assert found.C_g == pytest.approx(float(p.sum(0).abs().sum() / p.abs().sum()), rel=1e-9)
    np.testing.assert_allclose(found.changes.ravel(), p.sum(1), rtol=0, atol=1e-6 * float(p.sum(1).abs().max()))
    assert all(one is kept[name] for name, one in model.named_parameters(remove_duplicate=False))


def test_only_the_head_is_trained(tokens):
    model = tiny("llama", tied=False)
    for name, one in model.named_parameters():
        one.requires_grad_(name == "lm_head.weight")
    found, expected = (zerosum.gradient_interference(model, tokens, method=method) for method in ("exact", "oracle"))
    assert found.parameters[0].D_grad == pytest.approx(expected.parameters[0].D_grad, rel=1e-9)


def test_one_token_and_equal_tokens_are_no_reason_for_the_general_path():
    model = tiny("llama").float()
    for tokens in (np.array([[3, 5]]), np.full((4, 7), 3)):
        assert zerosum.gradient_interference(model, tokens).method == "exact"
