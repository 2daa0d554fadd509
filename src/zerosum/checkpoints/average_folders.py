"""The folder of an averaged checkpoint: settings and tokenizer beside the weights, and what they are the mean of."""

import json
from pathlib import Path
from typing import Any

from zerosum.checkpoints.weights import inside

FOLDER = "averages"
"""Inside a checkpoint: the averages that training wrote with it, as `averages/last-64/`."""
FACTS = "average.json"
"""In the folder of an average: what it is the mean of, and of which files."""
_BESIDE_WEIGHTS = (
    *("config.json", "config.yaml", "generation_config.json", "tokenizer*", "vocab*", "merges.txt", "*.model"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template*", "*.tiktoken"),
)


def read_facts(folder: Path) -> Any:
    """What `average.json` in a folder says; None where it cannot be read."""
    try:
        return json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def copy_settings(source: Path, folder: Path) -> None:
    """Copy settings and tokenizer of a checkpoint, which lie beside its weights; links that lead out are refused."""
    names = {file.name for pattern in _BESIDE_WEIGHTS for file in source.glob(pattern) if file.is_file()}
    for name in sorted(names):
        (folder / name).write_bytes(inside(source, name).read_bytes())
