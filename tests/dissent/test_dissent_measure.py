"""Dissent of whole models against autograd, one token after another, and in cases whose answer is known."""

import json
import math

import numpy as np
import pytest
import torch
from tiny_models import VOCABULARY, tiny
from torch.nn import functional

import zerosum.dissent
from zerosum.dissent import _force_sums, _measurement
from zerosum.dissent._levels import first_reached
from zerosum.dissent._measurement import ForceSums
from zerosum.errors import InputError
from zerosum.gradients.parameters import trainable
from zerosum.interference import InterferenceSums, interval

dissent = zerosum.dissent.measure_dissent
READ = ("dissent", "magnitude_ratio", "cancellation")


class Apart(torch.nn.Module):
    """Bigrams: an embedding, a linear head, and what may come after it."""

    def __init__(self, after=None, width=6, vocabulary=7, bias=True):
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Embedding(vocabulary, width)
        self.head = torch.nn.Linear(width, vocabulary, bias=bias)
        self.base_model, self.after = self.body, after or (lambda logits: logits)
        self.double()

    def get_output_embeddings(self):
        return self.head

    def get_input_embeddings(self):
        return self.body

    def forward(self, ids):
        return self.after(self.head(self.body(ids)))


def capped(logits):
    return 3 * torch.tanh(logits / 3)


def exact(family, **more):
    """A tiny model whose norms are in float64, too; those of transformers are in float32, and each pass rounds anew."""
    model = tiny(family, **more)
    for norm in (one for one in model.modules() if type(one).__name__.endswith("RMSNorm")):
        norm.forward = lambda x, norm=norm: norm.weight * x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    return model


def written_out(model, tokens, scale=1.0):
    """Both forces of every token by autograd: at its hidden state [N, d], the head [N, V, d], the body (list of dicts).

    With chances held fixed, attraction is minus the gradient of -(1 - q_y) times the label's logit above the mean one,
    repulsion of the others' chances times theirs; at the head it is the same without the mean.
    """
    body, head = model.base_model, model.get_output_embeddings()
    inside = {id(one) for one in body.parameters()}
    parameters = [one for one in trainable(model) if id(one.tensor) in inside]
    found = []
    for row in tokens:
        for k in range(len(row) - 1):
            output = body(row[None, : k + 1])
            hidden = getattr(output, "last_hidden_state", output)[0, k]
            at = hidden.detach().requires_grad_()
            weight = head.weight.detach().clone().requires_grad_()
            logits = scale * functional.linear(at, weight, None if head.bias is None else head.bias.detach())
            q, label = logits.softmax(0).detach(), row[k + 1]
            others = torch.arange(len(q)) != label
            forces = []
            for centred in (True, False):
                z = logits - logits.mean() if centred else logits
                forces.append(((1 - q[label]) * z[label], -(q * z)[others].sum()))
            at_hidden = [torch.autograd.grad(one, at, retain_graph=True)[0] for one in forces[0]]
            at_head = [torch.autograd.grad(one, weight, retain_graph=True)[0] for one in forces[1]]
            in_body = [
                torch.autograd.grad(hidden, [one.tensor for one in parameters], force, retain_graph=True)
                for force in at_hidden
            ]
            found.append((at_hidden, at_head, in_body))
    return found, [one.name for one in parameters]


def cos(a, r):
    return -float(functional.cosine_similarity(a.flatten(), r.flatten(), dim=0))


def numbers_of(a, r):
    a, r = a.flatten(), r.flatten()
    return {
        "dissent": cos(a, r),
        "magnitude_ratio": float(r.norm() / a.norm()),
        "cancellation": 1 - float((a + r).norm() / (a.norm() + r.norm())),
    }


def read(one):
    return {name: getattr(one, name) for name in READ}


@pytest.mark.parametrize(
    ("model", "scale"),
    [
        (lambda: exact("llama", tied=False), 1.0),
        (lambda: tiny("gpt2"), 1.0),
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


@pytest.mark.parametrize("family", ["llama", "olmo2", "qwen3", "gpt2", "gpt-neox"])
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


def test_batches_change_nothing(tokens, monkeypatch):
    model = tiny("llama")
    padded = tokens.clone()
    padded[1, 9:] = -1
    whole = dissent(model, padded.numpy())
    monkeypatch.setattr(_force_sums, "LOGITS", 5 * VOCABULARY)
    split = dissent(model, padded.numpy(), tokens_per_batch=1)
    assert (whole.N, whole.n_sequences) == (32, 3)
    for name in READ:
        assert np.array_equal(np.isnan(whole.per_token[name]), padded[:, 1:] == -1)
        assert np.allclose(whole.per_token[name], split.per_token[name], rtol=1e-12, equal_nan=True)
    for one, other in zip((*whole.parameters, *whole.layers), (*split.parameters, *split.layers), strict=True):
        assert vars(one.forces) == pytest.approx(vars(other.forces), rel=1e-11), one.name
    assert vars(whole.head) == pytest.approx(vars(split.head), rel=1e-11)


def test_single_precision_changes_little(tokens):
    wide, narrow = (dissent(tiny("gpt2").to(dtype), tokens.numpy()) for dtype in (torch.float64, torch.float32))
    for name in READ:
        assert np.allclose(narrow.per_token[name], wide.per_token[name], rtol=1e-4, atol=1e-6)
    assert read(narrow.head) == pytest.approx(read(wide.head), rel=1e-5)
    assert read(narrow.body) == pytest.approx(read(wide.body), rel=1e-5)


def test_a_batch_that_does_not_fit_is_halved(tokens, monkeypatch):
    model, sizes = tiny("llama"), []
    real = _measurement.forces_of

    def small_machine(head, some, *more):
        sizes.append(len(some))
        if len(some) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(head, some, *more)

    expected = dissent(model, tokens.numpy())
    monkeypatch.setattr(_measurement, "forces_of", small_machine)
    seen = []
    found = dissent(model, tokens.numpy(), along=lambda words, done, of: seen.append((done, of)))
    assert sizes == [3, 1, 2, 1, 1]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert vars(found.body) == pytest.approx(vars(expected.body), rel=1e-11)


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


def test_means_have_intervals_over_sequences_or_what_is_given():
    model = Apart()
    tokens = np.random.default_rng(0).integers(0, 7, (24, 11))
    found = dissent(model, tokens, seed=3)
    values = found.per_token["dissent"]
    assert found.token["dissent"].interval == interval(InterferenceSums.of(values), seed=3).delta_L
    assert found.token["dissent"].quantiles[95] == np.percentile(values, 95)
    unit = np.arange(24) // 2
    assert (found.n_units, found.to_json()["n_units"]) == (24, 24)
    few = dissent(model, tokens, unit=unit).token["dissent"]
    assert (few.interval, few.mean) == (None, found.token["dissent"].mean)
    assert "12 units" in few.reason


def test_classes_of_label_frequency_hold_every_token_once():
    model, rng = Apart(), np.random.default_rng(0)
    tokens = rng.choice(7, (30, 9), p=[0.6, 0.3, 0.06, 0.02, 0.01, 0.01, 0.0])
    found = dissent(model, tokens)
    assert sum(one.token["loss"].N for one in found.frequency) == found.N == 240
    assert sum(one.n_labels for one in found.frequency) == len(set(tokens[:, 1:].ravel()))
    labels, count = np.unique(tokens[:, 1:], return_counts=True)
    for one in found.frequency:
        low, high = (int(end) for end in one.name.split(" to "))
        inside = labels[(count >= low) & (count <= high)]
        chosen = np.isin(tokens[:, 1:], inside)
        assert one.n_labels == len(inside) == one.rows["dissent"].N
        assert one.token["dissent"].mean == pytest.approx(found.per_token["dissent"][chosen].mean())
        assert (one.token["dissent"].N, len(one.token)) == (chosen.sum(), 4)
    assert len({one.name for one in found.frequency}) > 2


def test_the_document_has_a_reason_for_every_number_that_is_missing():
    model = Apart()
    model.body.weight.data[:] = 0
    found = dissent(model, np.zeros((2, 5), dtype=int)).to_json()
    json.dumps(found, allow_nan=False)

    def missing(tree):
        for name, value in tree.items():
            if value is None:
                yield name, tree.get(f"{name}_reason")
            several = value if isinstance(value, list) else [value]
            for one in several:
                if isinstance(one, dict):
                    yield from missing(one)

    reasons = list(missing(found))
    assert {"interval", "dissent"} <= {name for name, _ in reasons}
    assert all(reason for _, reason in reasons)


def test_frozen_parts_are_left_out(tokens):
    model = tiny("llama", tied=False)
    whole = dissent(model, tokens.numpy())
    model.lm_head.weight.requires_grad_(False)
    found = dissent(model, tokens.numpy())
    assert (found.head, dict(found.rows), found.body) == (None, {}, whole.body)
    assert found.to_json()["head_reason"] == "the head is frozen"
    for one in model.model.parameters():
        one.requires_grad_(False)
    model.lm_head.weight.requires_grad_(True)
    found = dissent(model, tokens.numpy())
    assert (found.head, found.body, found.parameters) == (whole.head, None, ())
    assert "frozen" in found.to_json()["body_reason"]


def test_the_model_is_left_as_it_was(tokens):
    model = tiny("gpt2", resid_pdrop=0.5).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    first, second = (dissent(model, tokens.numpy()) for _ in range(2))
    assert first.body == second.body
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(one.grad is None for one in model.parameters())


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: Apart(capped), "comes after the head"),
        (lambda: Apart(lambda logits: -logits), "comes after the head"),
        (lambda: Apart(lambda logits: logits[..., :7] + logits[..., :1] * 0.1), "comes after the head"),
        (lambda: torch.nn.Sequential(torch.nn.Embedding(7, 3), torch.nn.Linear(3, 7)), "without a linear head"),
        (lambda: tiny("llama").bfloat16(), "bfloat16"),
    ],
)
def test_models_that_dissent_is_not_defined_for(model, words):
    with pytest.raises(InputError, match=words) as refused:
        dissent(model(), np.arange(12).reshape(2, 6) % 7)
    assert len(str(refused.value).splitlines()) == 1


def test_a_cap_that_the_config_names_is_refused():
    """Small logits hardly meet it, but those of a trained model do."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "num_key_value_heads": 1}
    config = Gemma2Config(vocab_size=9, intermediate_size=8, head_dim=8, **sizes)
    with pytest.raises(InputError, match="final_logit_softcapping 30"):
        dissent(Gemma2ForCausalLM(config), np.arange(8).reshape(2, 4))


def test_logits_times_a_factor_are_the_models_own():
    from transformers import CohereConfig, CohereForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    model = CohereForCausalLM(CohereConfig(vocab_size=9, logit_scale=0.25, pad_token_id=0, **sizes)).double()
    found = dissent(model, np.arange(16).reshape(2, 8) % 9)
    assert any("0.25" in note for note in found.notes)
    expected, _ = written_out(model, torch.arange(16).reshape(2, 8) % 9, scale=0.25)
    assert found.token["dissent"].mean == pytest.approx(np.mean([cos(*one[0]) for one in expected]), rel=1e-9)


def test_a_head_that_is_linear_only_at_first_is_refused():
    """Its cap is met by a later token alone."""
    model = Apart(lambda logits: logits.clamp(max=50.0))
    model.body.weight.data[6] = 100 * model.head.weight.data[2]
    tokens = np.array([[0, 1, 2, 3, 4, 5, 0, 1] * 4, [0, 1, 2, 3, 4, 5, 6, 1] * 4])
    with pytest.raises(InputError, match="not linear"):
        dissent(model, tokens)


def test_what_cannot_be_measured(tokens):
    model = tiny("llama")
    for ids, words in ((np.full((2, 5), VOCABULARY), "vocabulary"), (np.full((2, 5), -1), "padding")):
        with pytest.raises(InputError, match=words):
            dissent(model, ids)
    model.lm_head.weight.data[3] = math.nan
    with pytest.raises(InputError, match="not finite"):
        dissent(model, tokens.numpy())


def test_texts_as_long_as_the_model_can_see(tokens):
    """The last label is no input."""
    model = tiny("gpt2", n_positions=12)
    assert dissent(model, tokens.numpy()).N == 36


@pytest.mark.parametrize(
    ("more", "words"),
    [({"unit": np.arange(5)}, "unit: shape"), ({"unit": np.zeros((3, 13))}, "unit: shape"), ({"seed": -1}, "seed -1")],
)
def test_units_and_seeds_that_cannot_be(more, words, tokens):
    with pytest.raises(InputError, match=words):
        dissent(tiny("llama"), tokens.numpy(), **more)


def test_forces_that_are_rounding_are_none(tokens):
    """A softmax ignores the bias of keys; what float32 makes of it points anywhere."""
    from transformers import OPTConfig, OPTForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = OPTForCausalLM(OPTConfig(vocab_size=VOCABULARY, word_embed_proj_dim=16, **sizes)).eval()
    for one in model.parameters():
        one.data += 0.1 * torch.randn_like(one)
    found = {one.name: one.forces for one in dissent(model, tokens.numpy()).parameters}
    expected = {one.name: one.forces for one in dissent(model.double(), tokens.numpy()).parameters}
    for name, forces in found.items():
        if name.endswith("k_proj.bias"):
            assert math.isnan(forces.dissent), name
            assert forces.numel == 16
        else:
            assert forces.dissent == pytest.approx(expected[name].dissent, abs=1e-4), name


def test_too_little_memory_is_said_before_anything_is_summed(tokens, monkeypatch):
    monkeypatch.setattr(_measurement, "free_memory", lambda device: 1_000)
    monkeypatch.setattr(ForceSums, "zeros", None)
    with pytest.raises(InputError, match="not enough memory"):
        dissent(tiny("llama"), tokens.numpy())


def test_levels_are_reached_between_checkpoints():
    steps, losses = [0, 1, 4, 16, 64], [9.0, 8.0, 6.0, 5.0, 4.0]
    found = first_reached(steps, losses, [0.0, 0.5, 0.8, 1.0, 0.85], 0.9)
    assert (found.step, found.loss, found.between, found.stays) == (pytest.approx(8.0), 5.5, (4, 16), False)
    found = first_reached(steps, losses, [0.5, math.nan, 1.0, 1.0, 1.0], 0.75)
    assert (found.step, found.loss, found.between, found.stays) == (2.0, 7.5, (0, 4), True)
    assert found.to_json()["between"] == [0, 4]
    for values, words in (
        ([0.9, 1.0, 1.0, 1.0, 1.0], "at the first checkpoint"),
        ([0.1, 0.2, 0.7, 0.3, math.nan], "at most 0.700, at step 4"),
        ([0.1, 0.2, 0.899_96, 0.3, 0.4], "at most 0.89996, at step 4"),
        ([math.nan] * 5, "not known"),
    ):
        missing = first_reached(steps, losses, values, 0.9)
        assert math.isnan(missing.step)
        assert words in missing.reason
        assert missing.to_json()["step"] is None
