"""Per-token losses against plain logits and cross-entropy, for several model families."""

import json

import numpy as np
import pytest
from tiny import tiny_model

from zerosum import InputError, gradient_interference
from zerosum.losses import token_losses

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from zerosum.gradients._verify import verify  # noqa: E402
from zerosum.losses import batch_size  # noqa: E402

VOCABULARY = 61
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY = {"vocab_size": VOCABULARY, **SIZES, "num_key_value_heads": 1, "head_dim": 8, "pad_token_id": None}
FAMILIES = {
    "llama": TINY,
    "olmo2": TINY,
    "gpt2": {"vocab_size": VOCABULARY, **SIZES},
    "gpt_neox": TINY,
    "qwen3": TINY,
    "mixtral": TINY | {"num_local_experts": 3},
    # These change the logits after the head.
    "gemma2": TINY | {"final_logit_softcapping": 1.5},
    "cohere": TINY | {"logit_scale": 0.3},
    "granite": TINY | {"logits_scaling": 7.0},
}


def wide_model(family):
    """A model whose logits are some nats apart: one of random weights as they begin says nothing of scales."""
    model = tiny_model(family, **FAMILIES[family]).train()
    with torch.no_grad():
        model.get_output_embeddings().weight.normal_(0, 1.0)
    return model


def plain(model, tokens):
    """The obvious way."""
    ids = torch.as_tensor(tokens)
    with torch.no_grad():
        logits = model.eval()(ids[:, :-1]).logits
        losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    return losses.numpy()


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(0).integers(0, VOCABULARY, (7, 13))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tokens_per_batch", [1, 30, "auto"])
def test_plain_cross_entropy(family, tokens, tokens_per_batch):
    model = wide_model(family)
    found = token_losses(model, tokens, tokens_per_batch=tokens_per_batch)
    assert model.training
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plain(model, tokens), atol=1e-5)


@pytest.fixture
def little_memory(monkeypatch):
    """So little that the logits of eleven positions are held at a time."""
    monkeypatch.setitem(batch_size.LOGITS, "cpu", 11 * VOCABULARY)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_chunks_of_positions(family, tokens, little_memory, recwarn):
    model = wide_model(family)
    sizes = []
    model.get_output_embeddings().register_forward_hook(lambda head, given, logits: sizes.append(logits.numel()))
    found = token_losses(model, tokens)
    assert not [one for one in recwarn if "logits" in str(one.message)]
    assert max(sizes[3:]) == 11 * VOCABULARY  # the first three are the check
    expected = plain(model, tokens)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.std() > 0.1
    np.testing.assert_array_equal(plain(model, tokens), expected)  # the model is as it was


def test_a_model_that_cannot_be_taken_apart_gives_whole_logits(tokens, little_memory):
    class Running(transformers.LlamaForCausalLM):
        """Its logits are running means over positions, so no position can be looked at alone."""

        def forward(self, *given, **named):
            output = super().forward(*given, **named)
            count = torch.arange(1, output.logits.shape[1] + 1)[None, :, None]
            output.logits = output.logits.cumsum(1) / count
            return output

    torch.manual_seed(0)
    model = Running(transformers.LlamaConfig(**TINY))
    with torch.no_grad():
        model.lm_head.weight.normal_(0, 1.0)
    with pytest.warns(UserWarning, match=r"whole logits are held, because of this model its head alone gives other"):
        found = token_losses(model, tokens)
    np.testing.assert_allclose(found, plain(model, tokens), atol=1e-5)


def test_padding_is_nan_and_changes_nothing_else(tokens, little_memory):
    model = wide_model("llama")
    padded = tokens.copy()
    padded[2, 5:] = -1
    padded[4, 2:] = -1
    found, whole = token_losses(model, padded), token_losses(model, tokens)
    expected = np.where(padded[:, 1:] == -1, np.nan, whole)
    np.testing.assert_allclose(found, expected, atol=2e-6)
    alone = np.concatenate([token_losses(model, row[None]) for row in padded])
    np.testing.assert_allclose(found, alone, atol=2e-6)
    with pytest.raises(InputError, match="-1 before an id"):
        token_losses(model, np.array([[1, -1, 2]]))


def test_batches_are_halved_where_memory_runs_out(tokens):
    model = wide_model("llama")
    seen = []

    def short_of_memory(ids):
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(len(ids))
        return model(ids)

    with (
        pytest.warns(UserWarning, match="out of memory with 7 sequences a batch"),
        pytest.warns(UserWarning, match="out of memory with 3"),
    ):
        found = token_losses(short_of_memory, tokens, tokens_per_batch=10_000)
    np.testing.assert_allclose(found, plain(model, tokens), atol=1e-5)
    assert max(seen) == 1  # 7, 3, 1: halves are rounded down


def test_not_even_one_sequence_fits(tokens):
    calls = []

    def known_then_too_large(ids):
        calls.append(ids)
        if len(calls) > 1:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return torch.zeros(*ids.shape, VOCABULARY)

    with pytest.raises(InputError, match="not enough memory for one sequence of 12 tokens"):
        token_losses(known_then_too_large, tokens)


def test_errors_of_the_model_are_not_taken_for_lack_of_memory(tokens):
    def broken(ids):
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        token_losses(broken, tokens)


def test_longer_than_the_context():
    with pytest.raises(InputError, match=r"sequences of 33 tokens, but the model's context is 32"):
        token_losses(wide_model("gpt2"), np.zeros((1, 34), dtype=np.int64))


def test_half_precision_stays_near(tokens, little_memory):
    model = wide_model("llama")
    expected = plain(model, tokens)
    found = token_losses(model.to(torch.bfloat16), tokens)
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.2


def test_any_callable_that_returns_logits(tokens):
    found = token_losses(lambda ids: torch.zeros(*ids.shape, VOCABULARY), tokens)
    np.testing.assert_allclose(found, np.log(VOCABULARY), rtol=1e-6)


def test_tokens_the_model_does_not_know(tokens):
    with pytest.raises(InputError, match=r"token ids from 0 to 99, but the model's vocabulary is 0 to 60"):
        token_losses(wide_model("llama"), np.array([[0, 99]]))
    with pytest.raises(InputError, match="vocabulary is 0 to 3"):
        token_losses(lambda ids: torch.zeros(*ids.shape, 4), tokens)


def test_nothing_to_predict():
    with pytest.raises(InputError, match="sequences of 1 token: nothing to predict"):
        token_losses(wide_model("llama"), np.zeros((3, 1), dtype=np.int64))


@pytest.mark.parametrize(
    "wrong", [[1, 2, 3], np.array([1, 2]), np.ones((2, 3)), [[1.0, 2.0]], [[1, 2], [3]], [], "text", None]
)
def test_what_is_no_token_ids(wrong):
    with pytest.raises(InputError, match=r"^tokens: .*Give .*token ids") as caught:
        token_losses(wide_model("llama"), wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [0, -1])
def test_no_room_for_a_batch(tokens, number):
    with pytest.raises(InputError, match=f"tokens_per_batch {number}: give a positive number"):
        token_losses(wide_model("llama"), tokens, tokens_per_batch=number)


def test_ids_of_any_kind_are_the_same_ids(tokens):
    model = wide_model("llama")
    expected = token_losses(model, tokens)
    for same in (tokens.tolist(), tokens.astype(np.uint16), torch.as_tensor(tokens)):
        np.testing.assert_array_equal(token_losses(model, same), expected)


def test_gold(reference_data):
    """Losses of the published reference, before and after one real optimizer step."""
    from safetensors.numpy import load_file

    from zerosum import destructive_interference
    from zerosum.checkpoints import Checkpoint, load_model

    for case in ("early", "late"):
        folder = reference_data / "gold" / case
        for split in ("train", "eval"):
            ids = np.load(folder / f"tokens_{split}.npy").astype(np.int64)
            expected = load_file(folder / f"per_token_{split}.safetensors")
            losses = {}
            for when in ("before", "after"):
                losses[when] = token_losses(load_model(Checkpoint(0, folder / when)), ids)
                np.testing.assert_allclose(losses[when], expected[f"loss_{when}"], atol=1e-5)
            stated = json.loads((folder / f"expected_{split}.json").read_text())
            change = losses["after"].astype(np.float64) - losses["before"]
            assert destructive_interference(change.ravel()) == pytest.approx(stated["D_loss"], abs=1e-5)
            assert np.abs(change).mean() == pytest.approx(stated["M_loss"], rel=1e-5)


class OnAnotherDevice:
    """Ids as NumPy sees those of a tensor on a GPU."""

    def __init__(self, ids):
        self.ids = ids

    def __array__(self, *given, **named):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def detach(self):
        return self

    def cpu(self):
        return torch.as_tensor(self.ids)


def test_ids_on_another_device(tokens):
    model = wide_model("llama")
    on_gpu = OnAnotherDevice(tokens)
    np.testing.assert_array_equal(token_losses(model, on_gpu), token_losses(model, tokens))
    record = gradient_interference(model, on_gpu, method="sampled", n_sampled=16)
    assert tokens.shape[0] * (tokens.shape[1] - 1) == record.N
    assert verify(model, on_gpu, None, record, K=2).norm_l1 < 1e-3


@pytest.mark.parametrize("choose", [
    lambda: torch.set_float32_matmul_precision("high"),
    lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"),
])  # fmt: skip
def test_products_are_in_full_float32_however_a_narrower_precision_was_chosen(tokens, choose):
    def precisions():
        return torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision

    seen, model = [], wide_model("llama")
    model.register_forward_pre_hook(lambda *_: seen.append(precisions()))
    expected = token_losses(model, tokens)
    try:
        choose()
        chosen = precisions()
        seen.clear()
        np.testing.assert_array_equal(token_losses(model, tokens), expected)
        assert set(seen) == {("ieee", "ieee")}
        assert precisions() == chosen
    finally:
        for backend in (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul):
            backend.fp32_precision = "ieee"
        torch.set_float32_matmul_precision("highest")
