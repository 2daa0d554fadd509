"""Reads and checks the settings of an OLMo model, and picks the transformers class that computes the same function.

A setting that no class covers is refused by name. Source: `config.py` and `model.py` of ai2-olmo 0.6.0.
"""

from pathlib import Path
from typing import Any

from zerosum.checkpoints.kinds.hugging_face import read_json
from zerosum.checkpoints.weights import inside
from zerosum.errors import InputError

LARGEST_CONFIG = 1_000_000  # bytes

# Settings that determine the function of the model, with the package's defaults.
DEFAULTS: dict[str, Any] = {
    "d_model": 768,
    "n_heads": 12,
    "n_kv_heads": None,
    "multi_query_attention": None,
    "n_layers": 12,
    "mlp_ratio": 4,
    "mlp_hidden_size": None,
    "activation_type": "swiglu",
    "block_type": "sequential",
    "alibi": False,
    "rope": False,
    "rope_theta": 10_000,
    "clip_qkv": None,
    "attention_layer_norm": False,
    "attention_layer_norm_with_affine": True,
    "embedding_layer_norm": False,
    "layer_norm_type": "default",
    "layer_norm_with_affine": True,
    "layer_norm_eps": 1e-5,
    "bias_for_layer_norm": None,
    "include_bias": True,
    "norm_after": False,
    "scale_logits": False,
    "max_sequence_length": 1024,
    "vocab_size": 50_257,
    "embedding_size": 50_304,
    "weight_tying": True,
    "eos_token_id": 50_256,
}
# Settings that do not: how the model is initialised, trained, sharded and run.
_WITHOUT_EFFECT = {
    "alibi_bias_max",
    "attention_dropout",
    "block_group_size",
    "emb_init_std",
    "embedding_dropout",
    "flash_attention",
    "init_cutoff_factor",
    "init_device",
    "init_fn",
    "init_std",
    "pad_token_id",
    "precision",
    "residual_dropout",
    "rope_full_precision",
    "scale_emb_init",
}
_TRANSFORMERS_SETTINGS = {  # further entries of a `config.json`
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "model_type",
    "tie_word_embeddings",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
_REQUIRED = {
    "rope": True,
    "alibi": False,
    "activation_type": "swiglu",
    "include_bias": False,
    "embedding_layer_norm": False,
    "scale_logits": False,
}


def model_section(folder: Path) -> dict[str, Any] | None:
    """The model settings as written in the folder; None where it has no OLMo settings."""
    yaml_file = folder / "config.yaml"
    if yaml_file.is_file():
        import yaml

        if yaml_file.stat().st_size > LARGEST_CONFIG:
            return None
        try:
            content = yaml.safe_load(inside(folder, yaml_file.name).read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, OSError, RecursionError):
            return None
        section = content.get("model") if isinstance(content, dict) else None
        return section if isinstance(section, dict) and "d_model" in section else None
    if (folder / "config.json").is_file():
        content = read_json(folder / "config.json")
        if content.get("architectures") == ["OLMoForCausalLM"] and "d_model" in content:
            return {name: value for name, value in content.items() if name not in _TRANSFORMERS_SETTINGS}
    return None


def settings(folder: Path) -> dict[str, Any]:
    """The checked value of every setting in DEFAULTS. Raises InputError with the name of one that no class covers."""
    written = model_section(folder) or {}
    for name, value in written.items():
        if name not in DEFAULTS and name not in _WITHOUT_EFFECT and value not in (None, False):
            _refuse(folder, name, value)
    values = DEFAULTS | {name: value for name, value in written.items() if name in DEFAULTS}
    for name, value in values.items():
        if not _has_valid_type(name, value):
            raise InputError(f"{folder}: {name}: {str(value)[:40]!a} in its settings is not valid. Copy it again.")
    for name, required in _REQUIRED.items():
        if values[name] != required:
            _refuse(folder, name, values[name])
    return values


def _has_valid_type(name: str, value: Any) -> bool:
    default = DEFAULTS[name]
    if value is None:
        return default is None or name == "embedding_size"
    if isinstance(default, bool) or name in ("multi_query_attention", "bias_for_layer_norm"):
        return isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    may_be_float = name in ("layer_norm_eps", "clip_qkv", "rope_theta")
    return type(value) in ((int, float) if may_be_float else (int,)) and (value > 0 or name == "eos_token_id")


def _refuse(folder: Path, name: str, value: Any) -> None:
    raise InputError(
        f"{folder}: {name[:40]}: {str(value)[:40]!a} in its settings: no transformers class computes this, so the "
        "model is not converted. Give the model as a Hugging Face folder, if its authors publish one."
    )


def class_and_options(folder: Path, s: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name of the transformers class without `ForCausalLM`, and the options of its config besides the sizes.

    Raises InputError for a combination of settings that no class covers, with the name of one of them.
    """
    rms = s["layer_norm_type"] == "rms"
    if s["layer_norm_type"] not in ("rms", "default", "low_precision"):
        _refuse(folder, "layer_norm_type", s["layer_norm_type"])
    if s["block_type"] not in ("sequential", "llama"):
        _refuse(folder, "block_type", s["block_type"])
    if s["norm_after"] and s["block_type"] == "llama":  # with this block type the package ignores norm_after
        _refuse(folder, "norm_after", True)
    if rms and s["layer_norm_with_affine"] and s["bias_for_layer_norm"]:
        _refuse(folder, "bias_for_layer_norm", True)
    if s["attention_layer_norm"] != s["norm_after"]:
        _refuse(folder, "attention_layer_norm", s["attention_layer_norm"])
    if s["norm_after"] and not rms:
        _refuse(folder, "norm_after", "true with layer_norm_type " + s["layer_norm_type"])
    without_weight = not rms and not s["layer_norm_with_affine"] and s["layer_norm_eps"] == 1e-5
    if s["clip_qkv"] is not None and not without_weight:
        _refuse(folder, "clip_qkv", s["clip_qkv"])
    if s["norm_after"]:
        return "Olmo2", {"rms_norm_eps": s["layer_norm_eps"]}
    if rms:
        return "Llama", {"rms_norm_eps": s["layer_norm_eps"]}
    if without_weight:
        return "Olmo", {"clip_qkv": s["clip_qkv"]}
    return "StableLm", {"layer_norm_eps": s["layer_norm_eps"], "partial_rotary_factor": 1.0}


def n_kv_heads(folder: Path, s: dict[str, Any]) -> int:
    """Number of key and value heads. `multi_query_attention` is the older setting for it."""
    by_flag = {None: None, True: 1, False: s["n_heads"]}[s["multi_query_attention"]]
    by_number = s["n_kv_heads"]
    if by_number is not None and by_flag is not None and by_number != by_flag:
        _refuse(folder, "multi_query_attention", s["multi_query_attention"])
    heads: int = by_number or by_flag or s["n_heads"]
    if s["d_model"] % s["n_heads"] or s["n_heads"] % heads:
        _refuse(folder, "n_heads", s["n_heads"])
    return heads
