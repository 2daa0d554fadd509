"""nanoGPT's `ckpt.pt`: settings, weights and iteration in one pickled file, loaded as a GPT-2 of transformers.

The file does not name the activation. nanoGPT has used the exact GELU since 2023; its first versions, whose settings
lack `bias`, used the tanh approximation. The weights are those after `iter_num` updates; the number of tokens is not
recorded. Forks add settings, most of which leave no trace in the weights: an added setting that is switched on is
refused by name. Source: `model.py` and `train.py` of nanoGPT.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._kind import Kind, Progress, build, loading, require_layers
from zerosum.checkpoints.kinds._wrapper_names import plain_name
from zerosum.checkpoints.weights import Weights, holds, load_pickled, tensors_only
from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch

# nanoGPT's Linear weights are the transpose of the Conv1D weights of transformers.
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
_WITH_BIAS = ("ln_1", "ln_2", "attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
_KNOWN = ("bias", "dropout", "n_layer", "n_head", "n_embd", "block_size", "vocab_size")
_SIZES = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")


def is_nanogpt(path: Path) -> bool:
    """Whether the path is a torch file with the entries that nanoGPT writes."""
    return path.is_file() and holds(path, b"model_args", b"iter_num")


def select(content: Any) -> dict[str, Any]:
    """The weights by name, without those of wrappers such as torch.compile."""
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict):
        return {}
    return {plain_name(str(name)): value for name, value in model.items()}


def weights(path: Path) -> Weights:
    """The file itself."""
    return Weights((path,), select)


def progress(path: Path) -> Progress:
    """The iteration at which the file was saved."""
    step = load_pickled(path).get("iter_num")
    return Progress(step if isinstance(step, int) and step >= 0 else None)


def load(path: Path, dtype: "torch.dtype", trust_remote_code: bool) -> Any:
    """A GPT2LMHeadModel that computes the same. Biases that nanoGPT's model lacks are 0 and not trainable."""
    content = load_pickled(path)
    args = content.get("model_args") if isinstance(content, dict) else None
    if not isinstance(args, dict) or any(type(args.get(size)) is not int or args[size] < 1 for size in _SIZES):
        raise InputError(
            f"{path}: its model_args lack one of {', '.join(_SIZES)}. Is it a nanoGPT file? Copy it again."
        )
    for name, value in args.items():
        if name not in _KNOWN and value not in (None, False):
            raise InputError(
                f"{path}: {str(name)[:40]!a}: {str(value)[:40]!a} in its model_args: nanoGPT itself has no such "
                "setting, so it is not converted. Save it as a Hugging Face folder with the program that wrote it."
            )
    state = tensors_only(select(content))
    state = {name: tensor for name, tensor in state.items() if not name.endswith((".attn.bias", ".attn.masked_bias"))}
    state = {name: tensor.t() if name.endswith(TRANSPOSED) else tensor for name, tensor in state.items()}
    require_layers(path, args["n_layer"], len(state))
    constant = {} if args.get("bias", True) else _zero_biases(args, dtype)
    with loading(path):
        from transformers import GPT2Config, GPT2LMHeadModel

        config = GPT2Config(
            **{name: args[name] for name in ("n_layer", "n_head", "n_embd", "vocab_size")},
            n_positions=args["block_size"],
            **dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), _rate(args.get("dropout"))),
            activation_function="gelu" if "bias" in args else "gelu_new",
            tie_word_embeddings=_is_tied(state),
            bos_token_id=None,
            eos_token_id=None,
        )
    return build(path, GPT2LMHeadModel, config, state | constant, dtype, frozenset(constant))


def _rate(dropout: Any) -> float:
    """The rate of dropout, which changes no loss here: it is off. 0 where the settings do not have it."""
    return float(dropout) if isinstance(dropout, int | float) and 0 <= dropout <= 1 else 0.0


def _is_tied(state: dict[str, Any]) -> bool:
    head, embedding = state.get("lm_head.weight"), state.get("transformer.wte.weight")
    return head is None or (embedding is not None and head.shape == embedding.shape and bool((head == embedding).all()))


def _zero_biases(args: dict[str, int], dtype: "torch.dtype") -> dict[str, Any]:
    import torch

    width = args["n_embd"]
    widths = {"attn.c_attn": 3 * width, "mlp.c_fc": 4 * width}
    zeros = {"transformer.ln_f.bias": torch.zeros(width, dtype=dtype)}
    for layer in range(args["n_layer"]):
        for module in _WITH_BIAS:
            zeros[f"transformer.h.{layer}.{module}.bias"] = torch.zeros(widths.get(module, width), dtype=dtype)
    return zeros


def settings(path: Path) -> dict[str, Any]:
    """What `model_args` says."""
    args = load_pickled(path).get("model_args")
    return args if isinstance(args, dict) else {}


KIND = Kind("nanoGPT file", 10, is_nanogpt, weights, load, progress, settings)
