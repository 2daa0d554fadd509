"""Settings of an OLMo model: read, checked, and matched with the class of transformers that computes the same function.

Whatever the settings say and no class computes is refused by its name. Source: `config.py` and `model.py` of
ai2-olmo 0.6.0.
"""

from pathlib import Path
from typing import Any

from zerosum.checkpoints.kinds.hugging_face import read_json
from zerosum.checkpoints.weights import inside
from zerosum.errors import InputError

LARGEST_CONFIG = 1_000_000  # bytes

# What decides the function, with the package's defaults for what a file leaves out.
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
# What does not: how the model is started, trained, cut up and run.
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
_OF_TRANSFORMERS = {
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
_MUST_BE = {
    "rope": True,
    "alibi": False,
    "activation_type": "swiglu",
    "include_bias": False,
    "embedding_layer_norm": False,
    "scale_logits": False,
}


def model_section(folder: Path) -> dict[str, Any] | None:
    """The settings as written; None where the folder has no such settings."""
    own = folder / "config.yaml"
    if own.is_file():
        import yaml

        if own.stat().st_size > LARGEST_CONFIG:
            return None
        try:
            content = yaml.safe_load(inside(folder, own.name).read_text(encoding="utf-8"))
        except (yaml.YAMLError, ValueError, OSError, RecursionError):
            return None
        section = content.get("model") if isinstance(content, dict) else None
        return section if isinstance(section, dict) and "d_model" in section else None
    if (folder / "config.json").is_file():
        content = read_json(folder / "config.json")
        if content.get("architectures") == ["OLMoForCausalLM"] and "d_model" in content:
            return {name: value for name, value in content.items() if name not in _OF_TRANSFORMERS}
    return None


def settings(folder: Path) -> dict[str, Any]:
    """Every setting that decides the function, checked. Raises InputError, by name, for one that no class covers."""
    written = model_section(folder) or {}
    for name, value in written.items():
        if name not in DEFAULTS and name not in _WITHOUT_EFFECT and value not in (None, False):
            _refuse(folder, name, value)
    found = DEFAULTS | {name: value for name, value in written.items() if name in DEFAULTS}
    for name, value in found.items():
        if not _is_of_its_type(name, value):
            raise InputError(f"{folder}: {name}: {str(value)[:40]!a} in its settings makes no sense. Copy it again.")
    for name, needed in _MUST_BE.items():
        if found[name] != needed:
            _refuse(folder, name, found[name])
    return found


def _is_of_its_type(name: str, value: Any) -> bool:
    default = DEFAULTS[name]
    if value is None:
        return default is None or name == "embedding_size"
    if isinstance(default, bool) or name in ("multi_query_attention", "bias_for_layer_norm"):
        return isinstance(value, bool)
    if isinstance(default, str):
        return isinstance(value, str)
    fractions = name in ("layer_norm_eps", "clip_qkv", "rope_theta")
    return type(value) in ((int, float) if fractions else (int,)) and (value > 0 or name == "eos_token_id")


def _refuse(folder: Path, name: str, value: Any) -> None:
    raise InputError(
        f"{folder}: {name[:40]}: {str(value)[:40]!a} in its settings: no class of transformers "
        "computes this, so it is not converted. Give the model as a Hugging Face folder, if its authors publish one."
    )


def class_and_options(folder: Path, s: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The name of the class without `ForCausalLM`, and what its settings need beside the sizes.

    Raises InputError, by name, for combinations that no class covers.
    """
    rms = s["layer_norm_type"] == "rms"
    if s["layer_norm_type"] not in ("rms", "default", "low_precision"):
        _refuse(folder, "layer_norm_type", s["layer_norm_type"])
    if s["block_type"] not in ("sequential", "llama"):
        _refuse(folder, "block_type", s["block_type"])
    if s["norm_after"] and s["block_type"] == "llama":  # where the package does not look at norm_after
        _refuse(folder, "norm_after", True)
    if rms and s["layer_norm_with_affine"] and s["bias_for_layer_norm"]:
        _refuse(folder, "bias_for_layer_norm", True)
    if s["attention_layer_norm"] != s["norm_after"]:
        _refuse(folder, "attention_layer_norm", s["attention_layer_norm"])
    if s["norm_after"] and not rms:
        _refuse(folder, "norm_after", "true with layer_norm_type " + s["layer_norm_type"])
    bare = not rms and not s["layer_norm_with_affine"] and s["layer_norm_eps"] == 1e-5
    if s["clip_qkv"] is not None and not bare:
        _refuse(folder, "clip_qkv", s["clip_qkv"])
    if s["norm_after"]:
        return "Olmo2", {"rms_norm_eps": s["layer_norm_eps"]}
    if rms:
        return "Llama", {"rms_norm_eps": s["layer_norm_eps"]}
    if bare:
        return "Olmo", {"clip_qkv": s["clip_qkv"]}
    return "StableLm", {"layer_norm_eps": s["layer_norm_eps"], "partial_rotary_factor": 1.0}


def n_kv_heads(folder: Path, s: dict[str, Any]) -> int:
    """Heads of keys and values. `multi_query_attention` is the older way to say it."""
    of_flag = {None: None, True: 1, False: s["n_heads"]}[s["multi_query_attention"]]
    said = s["n_kv_heads"]
    if said is not None and of_flag is not None and said != of_flag:
        _refuse(folder, "multi_query_attention", s["multi_query_attention"])
    heads: int = said or of_flag or s["n_heads"]
    if s["d_model"] % s["n_heads"] or s["n_heads"] % heads:
        _refuse(folder, "n_heads", s["n_heads"])
    return heads
