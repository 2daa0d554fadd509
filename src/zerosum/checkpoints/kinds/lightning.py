"""Lightning's `.ckpt` files: the weights of a module that wraps a causal language model of transformers.

The file does not state the architecture, so a `config.json` of transformers is needed beside it or one folder up.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._kind import Kind, Progress, build, loading, require_layers
from zerosum.checkpoints.kinds._wrapper_names import plain_name
from zerosum.checkpoints.kinds.hugging_face import require_plain
from zerosum.checkpoints.weights import Weights, holds, load_pickled
from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch


def is_lightning(path: Path) -> bool:
    """Whether the path is a torch file with the entries that Lightning writes."""
    return path.is_file() and holds(path, b"pytorch-lightning_version", b"state_dict")


def select(content: Any) -> dict[str, Any]:
    """The module's weights by name, without the optimizer's state."""
    state = content.get("state_dict") if isinstance(content, dict) else None
    return {plain_name(str(name)): value for name, value in state.items()} if isinstance(state, dict) else {}


def weights(path: Path) -> Weights:
    """The file itself."""
    return Weights((path,), select)


def progress(path: Path) -> Progress:
    """The optimizer step at which the file was saved."""
    step = load_pickled(path).get("global_step")
    return Progress(step if isinstance(step, int) and step >= 0 else None)


def load(path: Path, dtype: "torch.dtype", trust_remote_code: bool) -> Any:
    """The wrapped language model."""
    folder = next((folder for folder in (path.parent, path.parent.parent) if (folder / "config.json").is_file()), None)
    if folder is None:
        raise InputError(
            f"{path}: does not state its architecture. Save the model's settings beside it: "
            f"model.config.save_pretrained({str(path.parent)!r})"
        )
    require_plain(folder)
    state = weights(path).tensors()
    with loading(path):
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
        require_layers(path, getattr(config.get_text_config(), "num_hidden_layers", None), len(state))
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
    inner = _without_prefix(state, next(iter(model.state_dict())))
    return build(path, type(model), config, inner, dtype, frozenset())


def _without_prefix(state: dict[str, Any], known_name: str) -> dict[str, Any]:
    """The language model's weights, without the prefix that the module adds to their names (`model.`, `net.lm.`).

    known_name: a parameter of the language model, by which the prefix is recognised.
    """
    same_names = [name for name in state if name == known_name or name.endswith("." + known_name)]
    prefixes = [name.removesuffix(known_name) for name in same_names]
    if not prefixes:
        return state
    prefix = min(prefixes, key=len)
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


KIND = Kind("Lightning file", 20, is_lightning, weights, load, progress)
