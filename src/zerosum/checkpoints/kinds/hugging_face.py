"""Hugging Face folders: `config.json` and safetensors, one file or many, else `pytorch_model.bin`.

Any causal language model that transformers itself knows, mixture-of-experts ones too. Code that a folder brings along
is run only when the caller asks aloud.
"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._kind import Kind, Progress, loading, require_all, require_enough
from zerosum.checkpoints.weights import Weights, inside
from zerosum.errors import InputError

if TYPE_CHECKING:
    import torch

SINGLE = ("model.safetensors", "pytorch_model.bin")
FILES = tuple(name for single in SINGLE for name in (single, single + ".index.json"))  # in the order of preference


def matches(path: Path) -> bool:
    """A folder with weights or settings of transformers."""
    return path.is_dir() and ((path / "config.json").exists() or any((path / name).exists() for name in FILES))


def weights(path: Path) -> Weights:
    """One file, or those that the index lists; all of them inside the folder."""
    for name in FILES:
        if (path / name).exists() or (path / name).is_symlink():
            names = _listed(path, name) if name.endswith(".json") else [name]
            files = tuple(inside(path, name) for name in names)
            for file in files:
                if not file.is_file():
                    raise InputError(f"{path}: no {file.name} in it. Copy it again, or move the folder elsewhere.")
            return Weights(files)
    raise InputError(f"{path}: no {SINGLE[0]} in it. Copy it again, or move the folder elsewhere.")


def _listed(folder: Path, index: str) -> list[str]:
    content = read_json(inside(folder, index))
    listed = content.get("weight_map")
    if not isinstance(listed, dict) or not listed or not all(isinstance(name, str) for name in listed.values()):
        raise InputError(f"{folder / index}: lists no weights. Copy it again.")
    names = sorted(set(listed.values()))
    # The ending chooses the reader: an index of safetensors never leads to a pickle.
    ending = Path(index.removesuffix(".index.json")).suffix
    if odd := [name for name in names if Path(name).suffix != ending]:
        raise InputError(f"{folder / index}: lists {odd[0]!a}, which is no {ending} file. Copy it again.")
    return names


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object. Raises InputError for anything else."""
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
    """Raise InputError where the settings ask for what would not be the trained model itself."""
    config = folder / "config.json"
    if not config.is_file():
        raise InputError(f"{folder}: no config.json in it, which says the architecture. Copy it there.")
    settings = read_json(inside(folder, "config.json"))
    if settings.get("quantization_config") or settings.get("compression_config"):
        raise InputError(
            f"{folder}: its weights are quantised (quantization_config), and rounded weights change late losses by "
            "more than training does. Give the checkpoint in the precision it was trained in."
        )
    if "transformers_weights" in settings:
        raise InputError(f"{config}: transformers_weights names other files than the usual ones. Remove that line.")
    if (folder / "adapter_config.json").exists():
        raise InputError(f"{folder}: an adapter is in it, not a whole model. Merge it into its model and save that.")


def load(path: Path, dtype: "torch.dtype", trust_remote_code: bool) -> Any:
    """The folder's causal language model, all of its weights from its own files."""
    require_plain(path)
    found = weights(path)
    in_safetensors = found.files[0].suffix == ".safetensors"
    with loading(path):
        from transformers import AutoConfig, AutoModelForCausalLM

        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=trust_remote_code)
    make = partial(AutoModelForCausalLM.from_config, config, trust_remote_code=trust_remote_code)
    require_enough(path, config, found.shapes(), make)
    with loading(path):
        model, report = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=in_safetensors,
            weights_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are in the report, and refused with it
        )
    require_all(path, report)
    return model


def progress(path: Path) -> Progress:
    """From `trainer_state.json`; tokens are counted only by a Trainer that was told to, and 0 says that it was not."""
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


KIND = Kind("Hugging Face folder", 50, matches, weights, load, progress)
