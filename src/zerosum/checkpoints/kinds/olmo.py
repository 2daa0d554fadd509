"""OLMo's own unsharded format: `config.yaml`, and `model.pt` or `model.safetensors`.

A model is loaded as the transformers class that computes the same function. A setting that no class covers is refused
by name.

| norm | position in the block | class |
|---|---|---|
| RMS norm | before attention and MLP | Llama |
| layer norm without weight, eps 1e-5 | before attention and MLP | Olmo |
| layer norm | before attention and MLP | StableLm |
| RMS norm, also of queries and keys | after attention and MLP | Olmo2 |

The same weights in older folders on the hub (`OLMoForCausalLM` in `config.json`) are loaded too. Source: `model.py` and
`config.py` of ai2-olmo 0.6.0; `make olmo-check` compares the logits.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._kind import Kind, Progress, build, loading, require_layers
from zerosum.checkpoints.kinds import _olmo_weights as native
from zerosum.checkpoints.kinds import hugging_face
from zerosum.checkpoints.kinds._olmo_settings import class_and_options, model_section, n_kv_heads, settings
from zerosum.checkpoints.weights import Weights, inside
from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch


def matches(path: Path) -> bool:
    """Whether the path is a folder with the settings of an OLMo model in this format."""
    try:
        return path.is_dir() and model_section(path) is not None
    except InputError:
        return False


def weights(path: Path) -> Weights:
    """`model.safetensors`, else `model.pt`; in older folders on the hub, the files of the Hugging Face format."""
    if not (path / "config.yaml").is_file():
        return hugging_face.weights(path)
    for name in ("model.safetensors", "model.pt"):
        if (path / name).is_file():
            return Weights((inside(path, name),))
    raise InputError(f"{path}: no model.safetensors or model.pt in it. Is it sharded? Give the -unsharded folder.")


def load(path: Path, dtype: "torch.dtype", trust_remote_code: bool) -> Any:
    """The model in transformers. Norm weights (1) and biases (0) that only the transformers class has are frozen."""
    s = settings(path)
    class_name, options = class_and_options(path, s)
    heads = n_kv_heads(path, s)
    hidden = s["mlp_hidden_size"] or s["mlp_ratio"] * s["d_model"]
    state = native.plain_names(path, weights(path).tensors())
    state = native.to_transformers(path, state, s, heads, norms_after=class_name == "Olmo2")
    require_layers(path, s["n_layers"], len(state))
    constant = native.constant_norms(s, heads, class_name, dtype)
    native.require_absent(path, state, constant.keys() | ({"lm_head.weight"} if s["weight_tying"] else set()))
    with loading(path):
        import transformers

        config = getattr(transformers, f"{class_name}Config")(
            vocab_size=s["embedding_size"] or s["vocab_size"],  # padding rows are part of the softmax, as in training
            hidden_size=s["d_model"],
            intermediate_size=hidden // 2,
            num_hidden_layers=s["n_layers"],
            num_attention_heads=s["n_heads"],
            num_key_value_heads=heads,
            max_position_embeddings=s["max_sequence_length"],
            rope_theta=float(s["rope_theta"]),
            tie_word_embeddings=s["weight_tying"],
            bos_token_id=None,
            eos_token_id=s["eos_token_id"],
            pad_token_id=None,  # with a padding id, that row of the embedding would get no gradient
            **options,
        )
        model_class = getattr(transformers, f"{class_name}ForCausalLM")
    return build(path, model_class, config, state | constant, dtype, frozenset(constant))


def progress(path: Path) -> Progress:
    """Empty: only the name of an OLMo folder states its step."""
    return Progress()


KIND = Kind("OLMo folder", 30, matches, weights, load, progress, settings)
