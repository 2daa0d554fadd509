"""Per-token losses against plain logits and cross-entropy, for several model families."""

import json

import numpy as np
import pytest

from zerosum import InputError
from zerosum.losses import token_losses

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

VOCABULARY = 61
TINY = {"vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def tiny(family):
    torch.manual_seed(0)
    if family == "gpt2":
        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=32)
    elif family == "llama":
        config = transformers.LlamaConfig(**TINY, intermediate_size=32)
    else:
        config = transformers.GPTNeoXConfig(**TINY, intermediate_size=32)
    return transformers.AutoModelForCausalLM.from_config(config).train()


@pytest.fixture(scope="module")
def tokens():
    return np.random.default_rng(0).integers(0, VOCABULARY, (7, 13))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt_neox"])
@pytest.mark.parametrize("tokens_per_batch", [1, 30, 8_192])
def test_plain_cross_entropy(family, tokens, tokens_per_batch):
    model = tiny(family)
    found = token_losses(model, tokens, tokens_per_batch=tokens_per_batch)
    assert model.training
    ids = torch.as_tensor(tokens)
    with torch.no_grad():
        logits = model.eval()(ids[:, :-1]).logits
        expected = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_any_callable_that_returns_logits(tokens):
    found = token_losses(lambda ids: torch.zeros(*ids.shape, VOCABULARY), tokens)
    np.testing.assert_allclose(found, np.log(VOCABULARY), rtol=1e-6)


def test_tokens_the_model_does_not_know(tokens):
    with pytest.raises(InputError, match=r"token ids from 0 to 99, but the model's vocabulary is 0 to 60"):
        token_losses(tiny("llama"), np.array([[0, 99]]))
    with pytest.raises(InputError, match="vocabulary is 0 to 3"):
        token_losses(lambda ids: torch.zeros(*ids.shape, 4), tokens)


def test_nothing_to_predict():
    with pytest.raises(InputError, match="sequences of 1 token: nothing to predict"):
        token_losses(tiny("llama"), np.zeros((3, 1), dtype=np.int64))


@pytest.mark.parametrize(
    "wrong", [[1, 2, 3], np.array([1, 2]), np.ones((2, 3)), [[1.0, 2.0]], [[1, 2], [3]], [], "text", None]
)
def test_what_is_no_token_ids(wrong):
    with pytest.raises(InputError, match=r"^tokens: .*Give .*token ids") as caught:
        token_losses(tiny("llama"), wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [0, -1])
def test_no_room_for_a_batch(tokens, number):
    with pytest.raises(InputError, match=f"tokens_per_batch {number}: give a positive number"):
        token_losses(tiny("llama"), tokens, tokens_per_batch=number)


def test_ids_of_any_kind_are_the_same_ids(tokens):
    model = tiny("llama")
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
