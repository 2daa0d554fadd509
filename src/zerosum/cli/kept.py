"""What was measured at a checkpoint of a run, beside what decided it: a stopped command continues from there."""

import json
from pathlib import Path
from typing import Any

from zerosum.atomic import write_text
from zerosum.training.run_folder import writing


def kept(file: Path, record: dict[str, Any]) -> dict[str, Any] | None:
    """The document in the file, if it was measured in this very way; None where it has to be measured."""
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        document = saved["measured"] if saved["how"] == record else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return document if isinstance(document, dict) else None


def write_kept(file: Path, record: dict[str, Any], document: dict[str, Any]) -> None:
    """Write both, all or nothing."""
    with writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps({"how": record, "measured": document}, indent=1, allow_nan=False) + "\n")
