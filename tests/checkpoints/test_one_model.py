"""Checkpoints of different models are refused before anything is measured; one model may be written in several ways."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import save_checkpoint, tiny_model

from zerosum import InputError
from zerosum.checkpoints import open_run
from zerosum.checkpoints.one_model import require_one_model
from zerosum.tokens import TokenSequences

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from safetensors.torch import load_file, save_file  # noqa: E402


def save(folder, step, **settings):
    save_checkpoint(folder, step, tiny_model(**settings))


@pytest.fixture
def run(tmp_path):
    for step in (1, 2):
        save(tmp_path, step)
    return tmp_path


def change_settings(folder, **settings):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def change_weights(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


WRONG = {  # name: change of the last checkpoint, message
    "another family": (lambda last: change_settings(last, model_type="gpt2"), "a model of type 'gpt2'"),
    "quantised": (lambda last: change_settings(last, quantization_config={"bits": 4}), "weights are quantised"),
    "lost tensor": (
        lambda last: change_weights(last, lambda tensors: tensors.pop("model.norm.weight")),
        "1 of the weights",
    ),
    "other size": (lambda last: save(last.parent, 3, hidden_size=12), "models of different sizes"),
    "more layers": (lambda last: save(last.parent, 3, num_hidden_layers=2), "checkpoint-1: lacks 9 of the weights of"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_refused(run, change, message):
    save(run, 3)
    change(run / "checkpoint-3")
    with pytest.raises(InputError, match=message):
        require_one_model(open_run(run).checkpoints)


def test_a_tied_matrix_written_once_or_twice_and_constants(run):
    def write_tied_matrix_twice(tensors):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)

    save(run, 3, tie_word_embeddings=True)
    assert "lm_head.weight" not in load_file(run / "checkpoint-3" / "model.safetensors")
    change_weights(run / "checkpoint-2", write_tied_matrix_twice)
    require_one_model(open_run(run).checkpoints)


def test_refused_before_the_first_is_measured(run, tmp_path):
    from zerosum.losses import measure_losses

    tokens = TokenSequences(np.zeros((1, 4), np.int64), np.zeros(1, np.int64), ("a",))
    change_settings(run / "checkpoint-2", model_type="gpt2")
    store = Path(tmp_path, "store")
    with pytest.raises(InputError, match="Give checkpoints of one run"):
        measure_losses(store, open_run(run).checkpoints, tokens, load=lambda _: pytest.fail("loaded"))
    assert not store.exists()
