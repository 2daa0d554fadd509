"""Hugging Face folders: `config.json`, and weights in safetensors files or in `pytorch_model.bin`, sharded or not.

Loads every causal language model that transformers itself knows, including mixtures of experts. Code in a folder is run
only with `trust_remote_code`.
"""

import json
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._kind import (
    CONSTANTS,
    UNUSED,
    Kind,
    Progress,
    loading,
    require_all_weights,
    require_plausible_size,
)
from zerosum.checkpoints.kinds._wrapper_names import plain_name
from zerosum.checkpoints.weights import Weights, inside
from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch

SINGLE = ("model.safetensors", "pytorch_model.bin")
FILES = tuple(name for single in SINGLE for name in (single, single + ".index.json"))  # the first that exists is used


def matches(path: Path) -> bool:
    """Whether the path is a folder with settings or weights of transformers."""
    return path.is_dir() and ((path / "config.json").exists() or any((path / name).exists() for name in FILES))


def weights(path: Path) -> Weights:
    """The weight file, or the shards that the index lists; all inside the folder."""
    for name in FILES:
        if (path / name).exists() or (path / name).is_symlink():
            names = _shards(path, name) if name.endswith(".json") else [name]
            files = tuple(inside(path, name) for name in names)
            for file in files:
                if not file.is_file():
                    raise InputError(f"{path}: no {file.name} in it. Copy it again, or move the folder elsewhere.")
            return Weights(files)
    raise InputError(f"{path}: no {SINGLE[0]} in it. Copy it again, or move the folder elsewhere.")


def _shards(folder: Path, index: str) -> list[str]:
    """Names of the files that an index lists."""
    content = read_json(inside(folder, index))
    weight_map = content.get("weight_map")
    is_map = isinstance(weight_map, dict) and all(isinstance(name, str) for name in weight_map.values())
    if not is_map or not weight_map:
        raise InputError(f"{folder / index}: lists no weights. Copy it again.")
    names = sorted(set(weight_map.values()))
    # The suffix selects the reader: an index of safetensors files must not lead to a pickle.
    suffix = Path(index.removesuffix(".index.json")).suffix
    if other := [name for name in names if Path(name).suffix != suffix]:
        raise InputError(f"{folder / index}: lists {other[0]!a}, which is not a {suffix} file. Copy it again.")
    return names


def read_json(file: Path) -> dict[str, Any]:
    """Read a file that holds a JSON object. Raises InputError for anything else."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}). Copy it again.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON. Copy it again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: not a JSON object. Copy it again.")
    return content


def require_plain(folder: Path) -> None:
    """Raise InputError where a folder holds something other than the trained model itself: quantised, or an adapter."""
    config = folder / "config.json"
    if not config.is_file():
        raise InputError(f"{folder}: no config.json in it, which describes the architecture. Copy it there.")
    settings = read_json(inside(folder, "config.json"))
    if settings.get("quantization_config") or settings.get("compression_config"):
        raise InputError(
            f"{folder}: its weights are quantised (quantization_config), and rounding the weights changes late losses "
            "more than training does. Give the checkpoint in the precision it was trained in."
        )
    if "transformers_weights" in settings:
        raise InputError(f"{config}: transformers_weights names other weight files than usual. Remove that line.")
    if (folder / "adapter_config.json").exists():
        raise InputError(f"{folder}: holds an adapter, not a whole model. Merge it into its model and save the result.")


def load(path: Path, dtype: "torch.dtype", trust_remote_code: bool) -> Any:
    """The causal language model of a folder, with all weights from its own files."""
    require_plain(path)
    stored = weights(path)
    in_safetensors = stored.files[0].suffix == ".safetensors"
    with loading(path):
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=trust_remote_code)
    make = partial(AutoModelForCausalLM.from_config, config, trust_remote_code=trust_remote_code)
    shapes = stored.named_shapes()
    require_plausible_size(path, config, list(shapes.values()), make)
    with loading(path):
        model, report = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=in_safetensors,
            weights_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            key_mapping=_without_wrappers(shapes),
            ignore_mismatched_sizes=True,  # the report lists them, and `require_all_weights` refuses them
        )
    require_all_weights(path, report)
    setattr(model, UNUSED, tuple(sorted(name for name in report["unexpected_keys"] if not name.endswith(CONSTANTS))))
    return model


def _without_wrappers(names: Iterable[str]) -> dict[str, str]:
    """Pattern of each name that wrappers such as DDP and torch.compile changed -> its name in the model."""
    return {f"^{re.escape(name)}$": plain for name in names if (plain := plain_name(name)) != name}


def progress(path: Path) -> Progress:
    """Progress in `trainer_state.json`. A Trainer counts tokens only on request; if it did not, the file holds 0."""
    file = path / "trainer_state.json"
    if not file.is_file():
        return Progress()
    try:
        state = read_json(file)
    except InputError:
        return Progress()
    step, tokens = state.get("global_step"), state.get("num_input_tokens_seen")
    return Progress(
        step if isinstance(step, int) and step >= 0 else None,
        int(tokens) if isinstance(tokens, int | float) and tokens > 0 else None,
    )


def settings(path: Path) -> dict[str, Any]:
    """What `config.json` says."""
    return read_json(inside(path, "config.json"))


KIND = Kind("Hugging Face folder", 50, matches, weights, load, progress, settings)
