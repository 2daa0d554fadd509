"""The state of a monitor in a folder: JSON, and safetensors for remembered losses. No pickles."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from zerosum.atomic import new_file, write_text
from zerosum.errors import InputError

VALUES, TENSORS = "zerosum_monitor.json", "zerosum_monitor.safetensors"


def save_state(state: Mapping[str, Any], folder: Path) -> None:
    """Write numbers, texts, lists and dicts as JSON, tensors as safetensors."""
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    with new_file(folder / TENSORS) as part:
        save_file(tensors, part)
    write_text(folder / VALUES, json.dumps({name: value for name, value in state.items() if name not in tensors}))


def load_state(folder: Path) -> dict[str, Any]:
    """Raises InputError where the files are missing or damaged."""
    try:
        values: dict[str, Any] = json.loads((folder / VALUES).read_text(encoding="utf-8"))
        return {**values, **load_file(folder / TENSORS)}
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise InputError(
            f"{folder}: no readable state of the monitor ({type(error).__name__}). Curves start anew from here."
        ) from error
