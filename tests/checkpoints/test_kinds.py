"""Models loaded from each kind of checkpoint compute the same as the model that was saved."""

import json
import re

import pytest
from nano_gpt import NanoGPT
from tiny import tiny_model

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")
pytest.importorskip("transformers")

TOKENS = torch.arange(24).reshape(2, 12) % 31
SIZES = {"vocab_size": 31, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1}
EXPERTS = {
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "head_dim": 8},
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
}


def grouped_model(family="llama", **settings):
    """Two layers whose two heads share their keys and values."""
    return tiny_model(family, **SIZES, **HEADS, pad_token_id=None, bos_token_id=None, **settings)


def logits(model):
    with torch.no_grad():
        return model(TOKENS).logits


@pytest.mark.parametrize("family", EXPERTS)
def test_mixtures_of_experts(family, tmp_path):
    model = grouped_model(family, **EXPERTS[family])
    model.save_pretrained(tmp_path / "checkpoint-8")
    loaded = load_model(open_run(tmp_path).checkpoints[0])
    torch.testing.assert_close(logits(loaded), logits(model.eval()), rtol=0, atol=1e-6)
    choices = loaded(TOKENS, output_router_logits=True).router_logits[0].argmax(-1)
    assert len(choices.unique()) > 1  # tokens go to different experts, so that a mix-up of experts would be noticed


def test_no_dropout_and_the_requested_dtype(tmp_path):
    grouped_model(attention_dropout=0.5).save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert not any(module.training for module in model.modules())
    assert torch.equal(logits(model), logits(model))
    assert {weight.dtype for weight in load_model(tmp_path, dtype="bfloat16").parameters()} == {torch.bfloat16}
    with pytest.raises(InputError, match="int4: not a dtype for weights"):
        load_model(tmp_path, dtype="int4")
    with pytest.raises(InputError, match="Choose another device"):
        load_model(tmp_path, device="hamster")


def change_config(folder, **changed):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}, "quantised"),
        ({"num_hidden_layers": 3}, "9 of the model's weights are missing"),
        ({"intermediate_size": 32}, "6 of the model's weights are missing or of another shape"),
        ({"vocab_size": 10**9}, "its settings ask for 32,000,003,"),  # and that memory is not allocated
        ({"num_hidden_layers": 10**11}, "100000000000 layers, its files hold 21 tensors"),
        ({"vocab_size": 32}, "missing or of another shape"),
        ({"model_type": "t5"}, "T5Config, for which transformers has no causal language model"),
        ({"model_type": "\x1b[2Jno such"}, "does not load"),
        ({"transformers_weights": "other.safetensors"}, "transformers_weights"),
        (
            {"model_type": "new", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}},
            "does not load",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(changed, message, tmp_path):
    grouped_model().save_pretrained(tmp_path)
    change_config(tmp_path, **changed)
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError) as caught:
        load_model(tmp_path)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "ran").exists()


def test_settings_or_weights_missing(tmp_path):
    grouped_model().save_pretrained(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="an adapter"):
        load_model(tmp_path)
    (tmp_path / "adapter_config.json").unlink()
    (tmp_path / "config.json").rename(tmp_path / "other.json")
    with pytest.raises(InputError, match=r"no config\.json"):
        load_model(tmp_path)
    (tmp_path / "other.json").rename(tmp_path / "config.json")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_model(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        load_model(tmp_path / "elsewhere")


@pytest.mark.parametrize("family", ["llama", "mixtral"])
@pytest.mark.parametrize("wrapped", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "inner"])
def test_names_of_wrappers_are_left_out(family, wrapped, tmp_path):
    """As DDP and torch.compile save them, around the model or around its layers."""
    model = grouped_model(family, **({"num_local_experts": 2} if family == "mixtral" else {})).eval()
    model.save_pretrained(tmp_path)
    state = safetensors.torch.load_file(tmp_path / "model.safetensors")
    inner = {name: re.sub(r"layers\.(\d+)\.", r"layers.\1._orig_mod.", name) for name in state}
    names = inner if wrapped == "inner" else {name: wrapped + name for name in state}
    (tmp_path / "model.safetensors").unlink()
    torch.save({names[name]: tensor for name, tensor in state.items()}, tmp_path / "pytorch_model.bin")
    assert torch.equal(logits(load_model(tmp_path)), logits(model))


@pytest.mark.parametrize(("bias", "prefix"), [(True, ""), (False, "module._orig_mod.")])
def test_nanogpt(bias, prefix, tmp_path):
    torch.manual_seed(0)
    args = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 12, "vocab_size": 31, "bias": bias}
    model = NanoGPT(**args)
    state = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    state[prefix + "transformer.h.0.attn.bias"] = torch.ones(
        1, 1, 12, 12
    )  # the attention mask, which older versions save
    optimizer = torch.optim.AdamW(model.parameters())
    content = {
        "model": state,
        "optimizer": optimizer.state_dict(),
        "model_args": args | {"dropout": 0.2},
        "iter_num": 250,
        "best_val_loss": torch.tensor(3.2),
        "config": {"learning_rate": 1e-3, "compile": True, "dataset": "shakespeare"},
    }
    torch.save(content, tmp_path / "ckpt.pt")
    (checkpoint,) = open_run(tmp_path).checkpoints
    assert (checkpoint.step, checkpoint.tokens_seen) == (250, None)
    loaded = load_model(checkpoint)
    with torch.no_grad():
        torch.testing.assert_close(logits(loaded), model(TOKENS), rtol=0, atol=1e-5)
    n_parameters = sum(weight.numel() for weight in model.parameters())
    assert sum(weight.numel() for weight in loaded.parameters() if weight.requires_grad) == n_parameters
    del state[prefix + "transformer.h.1.mlp.c_fc.weight"]
    torch.save(content, tmp_path / "ckpt.pt")
    with pytest.raises(InputError, match=r"1 of the model's weights .*'transformer\.h\.1\.mlp\.c_fc\.weight'"):
        load_model(checkpoint)


def test_added_settings_of_a_nanogpt_fork(tmp_path):
    """`use_relu` changes what the model computes and leaves no trace in its weights."""
    args = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 12, "vocab_size": 31, "bias": True}
    content = {"model": NanoGPT(**args).state_dict(), "model_args": args | {"use_rmsnorm": False}, "iter_num": 1}
    torch.save(content, tmp_path / "ckpt.pt")
    assert load_model(tmp_path / "ckpt.pt").config.activation_function == "gelu"
    torch.save(content | {"model_args": args | {"use_relu": True}}, tmp_path / "ckpt.pt")
    with pytest.raises(InputError, match="'use_relu': 'True' in its model_args"):
        load_model(tmp_path / "ckpt.pt")
    del args["bias"]
    torch.save(content | {"model_args": args}, tmp_path / "ckpt.pt")
    assert load_model(tmp_path / "ckpt.pt").config.activation_function == "gelu_new"


def test_nanogpt_with_an_untied_output_layer(tmp_path):
    args = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 12, "vocab_size": 31, "bias": True}
    model = NanoGPT(**args)
    model.lm_head.weight = torch.nn.Parameter(torch.randn(31, 16))
    torch.save({"model": model.state_dict(), "model_args": args, "iter_num": 1}, tmp_path / "ckpt.pt")
    with torch.no_grad():
        torch.testing.assert_close(logits(load_model(tmp_path / "ckpt.pt")), model(TOKENS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_lightning(tied, tmp_path):
    model = grouped_model(tie_word_embeddings=tied)
    state = {"net.lm." + name: tensor for name, tensor in model.state_dict().items()} | {"metric.sum": torch.zeros(1)}
    for step in (16, 32):
        content = {"state_dict": state, "epoch": 1, "global_step": step, "pytorch-lightning_version": "2.5.0"}
        (tmp_path / "checkpoints").mkdir(exist_ok=True)
        torch.save(content, tmp_path / "checkpoints" / f"epoch=1-step={step}.ckpt")
    torch.save(content, tmp_path / "checkpoints" / "last.ckpt")
    assert [checkpoint.step for checkpoint in open_run(tmp_path).checkpoints] == [
        16,
        32,
    ]  # last.ckpt is a copy of step 32
    torch.save(content | {"global_step": 40}, tmp_path / "checkpoints" / "last.ckpt")
    run = open_run(tmp_path)
    assert [checkpoint.step for checkpoint in run.checkpoints] == [16, 32, 40]
    assert run.problems[0].steps == (16, 32, 40)
    with pytest.raises(InputError, match="save_pretrained"):
        load_model(run.checkpoints[0])
    model.config.save_pretrained(tmp_path)
    torch.testing.assert_close(logits(load_model(run.checkpoints[0])), logits(model.eval()), rtol=0, atol=1e-6)
