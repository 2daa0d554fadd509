"""Converts the weights of an OLMo model to transformers: names them anew, and splits fused matrices."""

import base64
import binascii
import pickletools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch

# OLMo's name of a module -> its name in transformers; "before" and "after": where a block has its norms.
_OUTSIDE_BLOCKS = {
    "transformer.wte": "model.embed_tokens",
    "transformer.ln_f": "model.norm",
    "transformer.ff_out": "lm_head",
}
_IN_BLOCK = {
    "attn_out": "self_attn.o_proj",
    "ff_out": "mlp.down_proj",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "q_norm": "self_attn.q_norm",
    "k_norm": "self_attn.k_norm",
}
_NORMS_BEFORE = {"attn_norm": "input_layernorm", "ff_norm": "post_attention_layernorm"}
_NORMS_AFTER = {"attn_norm": "post_attention_layernorm", "ff_norm": "post_feedforward_layernorm"}
_BLOCK = re.compile(r"transformer\.block(?:s\.(\d+)|_groups\.(\d+)\.(\d+))\.(\w+)\.(weight|bias)", re.ASCII)


def plain_names(path: Path, tensors: dict[str, Any]) -> dict[str, Any]:
    """The weights under their names in OLMo's `model.py`, without the prefixes that FSDP and transformers add."""
    plain = {}
    for key, tensor in tensors.items():
        name = key if "." in key else _name_in_key(key)
        if name is None:
            raise InputError(f"{path}: {key[:60]!a} in its weights is not a tensor name of OLMo. Copy it again.")
        plain[name.replace("_fsdp_wrapped_module.", "").removeprefix("model.")] = tensor
    return plain


def _name_in_key(key: str) -> str | None:
    """The tensor name in a key of OLMo's own safetensors files, which is ((name,), False) pickled and in base 64.

    The pickle is not executed but read as a list of instructions; None unless they are the ones that this value has.
    """
    try:
        instructions = list(pickletools.genops(base64.urlsafe_b64decode(key)))
    except (ValueError, binascii.Error, IndexError, UnicodeError):
        return None
    ignored = ("PROTO", "FRAME", "MEMOIZE")
    relevant = [(code.name, argument) for code, argument, _ in instructions if code.name not in ignored]
    names = [argument for code, argument in relevant if code.endswith("UNICODE") or code == "SHORT_BINUNICODE"]
    if len(names) == 1 and [code for code, _ in relevant][1:] == ["TUPLE1", "NEWFALSE", "TUPLE2", "STOP"]:
        return str(names[0])
    return None


def to_transformers(
    path: Path, tensors: dict[str, Any], settings: dict[str, Any], n_kv_heads: int, *, norms_after: bool
) -> dict[str, Any]:
    """The weights under transformers' names. Rows of `att_proj` are q, k, v; rows of `ff_proj` are up, then gate.

    Unknown names stay as they are; they are refused when the model is built.
    """
    width = settings["d_model"]
    kv_width = width // settings["n_heads"] * n_kv_heads
    in_block = _IN_BLOCK | (_NORMS_AFTER if norms_after else _NORMS_BEFORE)
    indices_in_group = {match[3] for name in tensors if (match := _BLOCK.fullmatch(name)) and match[3]}
    converted: dict[str, Any] = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if module in _OUTSIDE_BLOCKS:
            converted[f"{_OUTSIDE_BLOCKS[module]}.{kind}"] = tensor
        elif match := _BLOCK.fullmatch(name):
            layer = int(match[1]) if match[1] else int(match[2]) * len(indices_in_group) + int(match[3])
            module, prefix = match[4], f"model.layers.{layer}."
            if module == "att_proj":
                for letter, rows in zip("qkv", _split(path, name, tensor, (width, kv_width, kv_width)), strict=True):
                    converted[f"{prefix}self_attn.{letter}_proj.{kind}"] = rows
            elif module == "ff_proj":
                up, gate = _split(path, name, tensor, (len(tensor) // 2,) * 2)
                converted |= {f"{prefix}mlp.up_proj.{kind}": up, f"{prefix}mlp.gate_proj.{kind}": gate}
            else:
                converted[f"{prefix}{in_block.get(module, module)}.{kind}"] = tensor
        else:
            converted[name] = tensor
    return converted


def _split(path: Path, name: str, tensor: Any, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Split the rows of a tensor into blocks of these sizes."""
    if len(tensor) != sum(sizes):
        raise InputError(f"{path}: {name} has {len(tensor)} rows, but its settings imply {sum(sizes)}. Copy it again.")
    blocks: tuple[Any, ...] = tensor.split(sizes)
    return blocks


def constant_norms(settings: dict[str, Any], n_kv_heads: int, class_name: str, dtype: "torch.dtype") -> dict[str, Any]:
    """Norm weights (1) and biases (0) that the transformers class needs, but that the OLMo model lacks."""
    import torch

    if class_name == "Olmo":  # its norms have no weights either
        return {}
    width = settings["d_model"]
    in_block = _NORMS_AFTER if class_name == "Olmo2" else _NORMS_BEFORE
    layers = range(settings["n_layers"])
    norms = {"model.norm": width} | {f"model.layers.{i}.{name}": width for i in layers for name in in_block.values()}
    constant: dict[str, Any] = {}
    if not settings["layer_norm_with_affine"]:
        constant |= {f"{name}.weight": torch.ones(size, dtype=dtype) for name, size in norms.items()}
    if class_name == "StableLm" and not (settings["layer_norm_with_affine"] and settings["bias_for_layer_norm"]):
        constant |= {f"{name}.bias": torch.zeros(size, dtype=dtype) for name, size in norms.items()}
    if class_name == "Olmo2" and not settings["attention_layer_norm_with_affine"]:
        sizes = {"q_norm": width, "k_norm": width // settings["n_heads"] * n_kv_heads}
        for i in layers:
            for name, size in sizes.items():
                constant[f"model.layers.{i}.self_attn.{name}.weight"] = torch.ones(size, dtype=dtype)
    return constant


def require_absent(path: Path, state: dict[str, Any], absent: set[str]) -> None:
    """Raise InputError where `state` has weights that, by its settings, the model lacks. absent: their names."""
    if unexpected := sorted(absent & state.keys()):
        raise InputError(
            f"{path}: has the weight {unexpected[0]}, which by its settings it should not have. Copy settings and "
            "weights again."
        )
