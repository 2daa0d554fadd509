"""Branches of a run: `branches/<step>-to-<step>/order-<seed>/`, each a run directory with a store of losses."""

import json
import re
from pathlib import Path

from zerosum.errors import InputError
from zerosum.interference.labelled import Branches, measure_branches
from zerosum.losses import open_store
from zerosum.runs._directory import RunDirectory
from zerosum.runs._tokenizer import token_text

BRANCHES_FILE = "branches.json"
_FOLDER = re.compile(r"(\d{1,18})-to-(\d{1,18})", re.ASCII)
_ORDER = re.compile(r"order-\d{1,18}", re.ASCII)


def read_branches(folder: Path, by: str | None = None, seed: int = 0) -> Branches:
    """What the measured branches in a folder have in common. Raises InputError where they cannot be read.

    by: groups of tokens; None for those of the command that measured the branches.
    """
    steps = _FOLDER.fullmatch(folder.resolve().name)
    try:
        measured = json.loads((folder / BRANCHES_FILE).read_text(encoding="utf-8"))
        names, known = list(measured["orders"]), measured["by"]
        if not (steps and all(_ORDER.fullmatch(name) for name in names) and (known is None or isinstance(known, str))):
            raise ValueError("not a list of orders")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder}: no measured branches ({BRANCHES_FILE} cannot be read). Run zerosum branch again."
        ) from error
    places = {name: RunDirectory(folder / name).losses for name in names}
    stores = {name: open_store(path) for name, path in places.items()}
    path, store = next((places[name], store) for name, store in stores.items())
    return measure_branches(
        stores, int(steps[1]), int(steps[2]), by=by or known, text=token_text(path, store), seed=seed
    )


def branch_folders(run: RunDirectory) -> list[Path]:
    """Folders of measured branches, in the order of their steps."""
    found = [path.parent for path in run.branches.glob(f"*/{BRANCHES_FILE}") if _FOLDER.fullmatch(path.parent.name)]
    return sorted(found, key=lambda folder: [int(step) for step in folder.name.split("-to-")])
