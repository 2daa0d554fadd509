"""OLMo's own format, unsharded: `config.yaml` and `model.pt` or `model.safetensors`, as the class of transformers that
computes the same function. What no class computes is refused by the name of the setting.

| norm | place | class |
|---|---|---|
| rms | before | Llama |
| layer norm without weight, eps 1e-5 | before | Olmo |
| layer norm | before | StableLm |
| rms, also of queries and keys | after | Olmo2 |

Also the same weights in the older folders of the hub (`OLMoForCausalLM` in `config.json`). Source: `model.py` and
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
    """A folder with the settings of an OLMo model, as this format writes them."""
    try:
        return path.is_dir() and model_section(path) is not None
    except InputError:
        return False


def weights(path: Path) -> Weights:
    """`model.safetensors`, else `model.pt`; in the older folders of the hub those that Hugging Face writes."""
    if not (path / "config.yaml").is_file():
        return hugging_face.weights(path)
    for name in ("model.safetensors", "model.pt"):
        if (path / name).is_file():
            return Weights((inside(path, name),))
    raise InputError(f"{path}: no model.safetensors or model.pt in it: sharded? Give the -unsharded folder.")


def load(path: Path, dtype: "torch.dtype", trust_remote_code: bool) -> Any:
    """The model in transformers. Weights of a norm that has none here are 1, biases 0, and neither is trainable."""
    s = settings(path)
    name, options = class_and_options(path, s)
    heads = n_kv_heads(path, s)
    hidden = s["mlp_hidden_size"] or s["mlp_ratio"] * s["d_model"]
    state = native.read(path, weights(path).tensors())
    state = native.rename(path, state, s, heads, norms_after=name == "Olmo2")
    require_layers(path, s["n_layers"], len(state))
    constant = native.constant_norms(s, heads, name, dtype)
    native.require_none(path, state, constant.keys() | ({"lm_head.weight"} if s["weight_tying"] else set()))
    with loading(path):
        import transformers

        config = getattr(transformers, f"{name}Config")(
            vocab_size=s["embedding_size"] or s["vocab_size"],  # the padding is part of the softmax, as in training
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
            pad_token_id=None,  # transformers would stop the gradient of that row
            **options,
        )
        model_class = getattr(transformers, f"{name}ForCausalLM")
    return build(path, model_class, config, state | constant, dtype, frozenset(constant))


def progress(path: Path) -> Progress:
    """Only the name of an OLMo folder says its step."""
    return Progress()


KIND = Kind("OLMo folder", 30, matches, weights, load, progress)
