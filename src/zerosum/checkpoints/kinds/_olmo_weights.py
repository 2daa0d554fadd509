"""Weights of an OLMo model under the names of transformers: fused matrices cut, and nothing left over or made up."""

import base64
import binascii
import pickletools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch

_SIMPLE = {"transformer.wte": "model.embed_tokens", "transformer.ln_f": "model.norm", "transformer.ff_out": "lm_head"}
_IN_BLOCK = {
    "attn_out": "self_attn.o_proj",
    "ff_out": "mlp.down_proj",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "q_norm": "self_attn.q_norm",
    "k_norm": "self_attn.k_norm",
}
_BEFORE = {"attn_norm": "input_layernorm", "ff_norm": "post_attention_layernorm"}
_AFTER = {"attn_norm": "post_attention_layernorm", "ff_norm": "post_feedforward_layernorm"}
_BLOCK = re.compile(r"transformer\.block(?:s\.(\d+)|_groups\.(\d+)\.(\d+))\.(\w+)\.(weight|bias)", re.ASCII)


def read(path: Path, tensors: dict[str, Any]) -> dict[str, Any]:
    """The weights by the names that `model.py` gives them, without what FSDP and transformers put before them."""
    plain = {}
    for written, tensor in tensors.items():
        name = written if "." in written else _unpacked(written)
        if name is None:
            raise InputError(f"{path}: {written[:60]!a} in its weights is no name of a tensor of OLMo. Copy it again.")
        plain[name.replace("_fsdp_wrapped_module.", "").removeprefix("model.")] = tensor
    return plain


def _unpacked(key: str) -> str | None:
    """The name in a key of OLMo's own safetensors files, where each is a pickled ((name,), False) in base 64.

    The pickle is not executed: it is read as a list of instructions, and only the one shape that this value has is
    accepted.
    """
    try:
        steps = list(pickletools.genops(base64.urlsafe_b64decode(key)))
    except (ValueError, binascii.Error, IndexError, UnicodeError):
        return None
    shape = [(code.name, argument) for code, argument, _ in steps if code.name not in ("PROTO", "FRAME", "MEMOIZE")]
    names = [argument for code, argument in shape if code.endswith("UNICODE") or code == "SHORT_BINUNICODE"]
    if len(names) == 1 and [code for code, _ in shape][1:] == ["TUPLE1", "NEWFALSE", "TUPLE2", "STOP"]:
        return str(names[0])
    return None


def rename(
    path: Path, tensors: dict[str, Any], settings: dict[str, Any], n_kv_heads: int, *, norms_after: bool
) -> dict[str, Any]:
    """Names and matrices of transformers. `att_proj` rows are q, k, v; `ff_proj` rows are the up, then the gate half.

    Names that are not known stay as they are and are refused when the model is built.
    """
    width = settings["d_model"]
    of_kv = width // settings["n_heads"] * n_kv_heads
    in_block = _IN_BLOCK | (_AFTER if norms_after else _BEFORE)
    groups = {match[3] for name in tensors if (match := _BLOCK.fullmatch(name)) and match[3]}
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        before, _, kind = name.rpartition(".")
        if before in _SIMPLE:
            found[f"{_SIMPLE[before]}.{kind}"] = tensor
        elif match := _BLOCK.fullmatch(name):
            layer = int(match[1]) if match[1] else int(match[2]) * len(groups) + int(match[3])
            part, start = match[4], f"model.layers.{layer}."
            if part == "att_proj":
                for letter, piece in zip("qkv", _cut(path, name, tensor, (width, of_kv, of_kv)), strict=True):
                    found[f"{start}self_attn.{letter}_proj.{kind}"] = piece
            elif part == "ff_proj":
                up, gate = _cut(path, name, tensor, (len(tensor) // 2,) * 2)
                found |= {f"{start}mlp.up_proj.{kind}": up, f"{start}mlp.gate_proj.{kind}": gate}
            else:
                found[f"{start}{in_block.get(part, part)}.{kind}"] = tensor
        else:
            found[name] = tensor
    return found


def _cut(path: Path, name: str, tensor: Any, rows: tuple[int, ...]) -> tuple[Any, ...]:
    if len(tensor) != sum(rows):
        raise InputError(f"{path}: {name} has {len(tensor)} rows where its settings say {sum(rows)}. Copy it again.")
    pieces: tuple[Any, ...] = tensor.split(rows)
    return pieces


def constant_norms(settings: dict[str, Any], n_kv_heads: int, class_name: str, dtype: "torch.dtype") -> dict[str, Any]:
    """Weights (1) and biases (0) that the class has and the settings say the model does not."""
    import torch

    if class_name == "Olmo":  # whose norms have no weights either
        return {}
    width = settings["d_model"]
    blocks = _AFTER if class_name == "Olmo2" else _BEFORE
    layers = range(settings["n_layers"])
    norms = {"model.norm": width} | {f"model.layers.{i}.{name}": width for i in layers for name in blocks.values()}
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


def require_none(path: Path, state: dict[str, Any], unsaid: set[str]) -> None:
    """Raise InputError where there are weights that the settings say the model does not have."""
    if found := sorted(unsaid & state.keys()):
        raise InputError(f"{path}: has {found[0]}, which its settings say it has not. Copy settings and weights again.")
