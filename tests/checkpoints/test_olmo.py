"""OLMo's own folders: logits equal those of OLMo's own package; settings that no class covers are refused by name."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

NATIVE = Path(__file__).parent / "olmo_native"
CLASSES = {
    "plain-norm-clipped": "Olmo",
    "plain-norm-two-layers-tied": "Olmo",
    "plain-norm-other-eps": "StableLm",
    "weighted-norm": "StableLm",
    "weighted-and-biased-norm-grouped": "StableLm",
    "rms-grouped": "Llama",
    "rms-without-weight-one-kv-head": "Llama",
    "llama-block": "Llama",
    "norm-after-grouped": "Olmo2",
    "norm-after-without-weight-in-groups": "Olmo2",
    "older-hub-folder": "Olmo",
}


def logits_and_expected(folder, model):
    expected = np.load(folder / "expected.npz")
    with torch.no_grad():
        return model(torch.from_numpy(expected["tokens"])).logits.numpy(), expected["logits"]


def native_tensors(folder):
    from zerosum.checkpoints.kinds import _olmo_weights, olmo

    return _olmo_weights.plain_names(folder, olmo.weights(folder).tensors())


@pytest.mark.parametrize("name", CLASSES)
def test_logits_equal_those_of_the_olmo_package(name):
    model = load_model(NATIVE / name)
    assert type(model).__name__ == CLASSES[name] + "ForCausalLM"
    ours, expected = logits_and_expected(NATIVE / name, model)
    assert np.abs(expected).max() > 0.5  # for logits near 0 agreement would mean little
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)
    assert model.get_input_embeddings().padding_idx is None  # with a padding id, that row would get no gradient
    # Only OLMo's own parameters are trainable, not the constants that a transformers class needs beside them.
    n_native = sum(tensor.numel() for tensor in native_tensors(NATIVE / name).values())
    assert sum(weight.numel() for weight in model.parameters() if weight.requires_grad) == n_native


def test_every_folder_is_tested():
    assert {path.parent.name for path in NATIVE.glob("*/expected.npz")} == CLASSES.keys()


@pytest.fixture
def copy(tmp_path):
    """copy(name, **changed): the path of a copy of a native folder with changed settings, under an OLMo name."""

    def copy_folder(name="rms-grouped", **changed):
        folder = tmp_path / "step1000-unsharded"
        shutil.copytree(NATIVE / name, folder)
        content = yaml.safe_load((folder / "config.yaml").read_text())
        content["model"] |= changed
        (folder / "config.yaml").write_text(yaml.safe_dump(content))
        return folder

    return copy_folder


def test_model_pt_and_names_as_fsdp_writes_them(copy):
    folder = copy("norm-after-grouped")
    tensors = {"_fsdp_wrapped_module." + name: tensor.clone() for name, tensor in native_tensors(folder).items()}
    before = open_run(folder).checkpoints[0].weight_hash()
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "model.pt")
    checkpoint = open_run(folder.parent).checkpoints[0]
    assert (checkpoint.step, checkpoint.weight_hash()) == (1000, before)
    np.testing.assert_allclose(*logits_and_expected(folder, load_model(checkpoint)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("rms-grouped", "alibi", True),
        ("rms-grouped", "rope", False),
        ("rms-grouped", "activation_type", "gelu"),
        ("rms-grouped", "include_bias", True),
        ("rms-grouped", "bias_for_layer_norm", True),
        ("rms-grouped", "attention_layer_norm", True),
        ("rms-grouped", "embedding_layer_norm", True),
        ("rms-grouped", "clip_qkv", 8.0),
        ("rms-grouped", "scale_logits", True),
        ("rms-grouped", "block_type", "parallel"),
        ("rms-grouped", "layer_norm_type", "amd_compatible"),
        ("rms-grouped", "n_heads", 5),
        ("rms-grouped", "multi_query_attention", True),
        ("rms-grouped", "a_new_one", "on"),
        ("norm-after-grouped", "layer_norm_type", "default"),
        ("norm-after-grouped", "attention_layer_norm", False),
        ("llama-block", "norm_after", True),
    ],
)
def test_refused_by_the_name_of_the_setting(copy, name, setting, value):
    with pytest.raises(InputError) as caught:
        load_model(copy(name, **{setting: value}))
    assert str(caught.value).count("\n") == 0
    refused = "norm_after" if (name, setting) == ("norm-after-grouped", "layer_norm_type") else setting
    assert f": {refused}:" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"d_model": "many"}, "d_model: 'many'"),
        ({"n_layers": 2}, "weights are missing"),
        ({"n_layers": 10**11}, "layers, its files hold"),
        ({"embedding_size": 10**9}, "its settings ask for"),
        ({"weight_tying": False}, "weights are missing"),
        ({"layer_norm_with_affine": False}, "which by its settings it should not have"),
        ({"mlp_hidden_size": 48}, "missing or of another shape"),
        ({"n_kv_heads": 4}, "att_proj.weight has 32 rows, but its settings imply 48"),
    ],
)
def test_settings_of_another_model(copy, changed, message):
    with pytest.raises(InputError) as caught:
        load_model(copy(**changed))
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_a_pickled_key_is_not_executed(copy, tmp_path):
    """OLMo's safetensors keys are pickles: a pickle that would run a command is refused as a wrong name."""
    import base64
    import os
    import pickle

    from safetensors.torch import save_file

    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    folder = copy()
    key = base64.urlsafe_b64encode(pickle.dumps(((Hostile(),), False))).decode()
    save_file({key: torch.zeros(1)}, folder / "model.safetensors")
    with pytest.raises(InputError, match="not a tensor name of OLMo"):
        load_model(folder)
    assert not (tmp_path / "ran").exists()


def test_a_sharded_folder_names_the_folder_to_give(copy):
    folder = copy()
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match="-unsharded"):
        open_run(folder)
