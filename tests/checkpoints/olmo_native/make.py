"""Tiny OLMo models with random weights, in OLMo's own files, and the logits that OLMo's own package computes.

    make olmo-check

runs this in an environment with ai2-olmo, which writes one folder for each model beside this file: `config.yaml` and
`model.safetensors` as the package saves them, and `expected.npz` with tokens and logits in float32.
"""

from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SEED = 10  # of six seeds tried, one for which no norm divides by almost 0: rounding to float32 is 2e-6, not 6e-6
SIZES = {
    "d_model": 16,
    "n_heads": 4,
    "n_layers": 1,
    "mlp_hidden_size": 24,
    "vocab_size": 30,
    "embedding_size": 40,
    "max_sequence_length": 16,
    "rope": True,
    "include_bias": False,
    "bias_for_layer_norm": False,
    "eos_token_id": 0,
    "pad_token_id": 1,
    "init_device": "cpu",
}
PLAIN = {"layer_norm_type": "default", "layer_norm_with_affine": False}
RMS = {"layer_norm_type": "rms", "layer_norm_with_affine": True}
AFTER = RMS | {"norm_after": True, "attention_layer_norm": True}
MODELS = {
    "plain-norm-clipped": PLAIN | {"weight_tying": False, "clip_qkv": 0.5},
    "plain-norm-two-layers-tied": PLAIN | {"n_layers": 2, "layer_norm_type": "low_precision"},
    "plain-norm-other-eps": PLAIN | {"layer_norm_eps": 1e-2, "mlp_hidden_size": None, "mlp_ratio": 2},
    "weighted-norm": PLAIN | {"layer_norm_with_affine": True, "embedding_size": None, "vocab_size": 40},
    "weighted-and-biased-norm-grouped": {"bias_for_layer_norm": True, "n_kv_heads": 2, "weight_tying": False},
    "rms-grouped": RMS | {"n_kv_heads": 2, "rope_theta": 500_000, "layer_norm_eps": 1e-6},
    "rms-without-weight-one-kv-head": RMS | {"layer_norm_with_affine": False, "multi_query_attention": True},
    "llama-block": RMS | {"block_type": "llama", "weight_tying": False},
    "norm-after-grouped": AFTER | {"n_kv_heads": 2, "weight_tying": False},
    "norm-after-without-weight-in-groups": AFTER
    | {
        "n_layers": 4,
        "block_group_size": 2,
        "layer_norm_with_affine": False,
        "attention_layer_norm_with_affine": False,
    },
}


def main() -> None:
    """Write every folder again."""
    for seed, (name, settings) in enumerate(MODELS.items(), SEED):
        _write(HERE / name, SIZES | settings, seed)
    _write_older(HERE / "older-hub-folder", SIZES | PLAIN | {"weight_tying": False}, SEED + len(MODELS))
    (HERE / "MADE_WITH").write_text("".join(f"{package} {version(package)}\n" for package in ("ai2-olmo", "torch")))


def _write(folder: Path, settings: dict, seed: int) -> None:
    from olmo import ModelConfig, OLMo
    from olmo.safetensors_util import state_dict_to_safetensors_file
    from omegaconf import OmegaConf

    config = ModelConfig(**settings)
    model = OLMo(config).eval()
    folder.mkdir(exist_ok=True)
    _randomize(model, seed)
    OmegaConf.save({"run_name": "tiny", "model": OmegaConf.structured(config)}, folder / "config.yaml")
    state_dict_to_safetensors_file(model.state_dict(), folder / "model.safetensors")
    _write_expected(folder, model)


def _write_older(folder: Path, settings: dict, seed: int) -> None:
    """Save as the package does for the hub, as in `allenai/OLMo-7B`: `config.json`, and other names of weights."""
    from hf_olmo import OLMoConfig, OLMoForCausalLM

    model = OLMoForCausalLM(OLMoConfig(**settings)).eval()
    _randomize(model, seed)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()
    _write_expected(folder, model.model)  # the package's model inside


def _randomize(model, seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():  # norms too, so that a mix-up of any two is noticed
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (parameter.dim() == 1))


def _write_expected(folder: Path, model) -> None:
    import numpy as np
    import torch

    tokens = torch.randint(0, SIZES["vocab_size"], (2, 8))
    with torch.no_grad():
        logits = model(tokens).logits
    np.savez_compressed(folder / "expected.npz", tokens=tokens.numpy(), logits=logits.numpy())


if __name__ == "__main__":
    main()
