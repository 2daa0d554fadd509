"""`--data` of `zerosum train`: a folder of token files, or small texts that are tokenized into the run."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.tokens.files import DataOptions, NothingToHoldOut, TokenFiles, is_token_folder, write_token_files
from zerosum.training.changes import with_changes
from zerosum.training.corpora.tokens import TokensSettings
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import TOKENS

_HELD_OUT = 0.05
_LARGEST = 10**9  # bytes of text


def data_changes(data: Sequence[str], run: Path) -> dict[str, Any]:
    """The change of a recipe that reads this data; texts will be token files in the run directory."""
    folder = Path(data[0]).expanduser()
    is_tokens = len(data) == 1 and is_token_folder(folder)
    return {"data.kind": "tokens", "data.folder": str(folder if is_tokens else run / TOKENS)}


def data_label(data: Sequence[str]) -> dict[str, str]:
    """How the name of the run says which data it reads; nothing for the data of the recipe."""
    return {"data": "+".join(Path(source).stem for source in data)} if data else {}


def write_texts(
    data: Sequence[str], recipe: Recipe, run: Path, report: Callable[[str, int, int], None]
) -> tuple[Recipe, str | None]:
    """Tokenize texts into the run directory where the recipe reads them from there; continues what is there.

    Returns the recipe, and what the user has to know. Of a single document nothing can be held out: then all of it is
    trained on, and no held-out loss is measured. Where little is held out, the held-out loss is that of all of it.
    Raises InputError where the texts are so large that `zerosum data` should read them once.
    """
    if not (data and isinstance(recipe.data, TokensSettings) and Path(recipe.data.folder) == run / TOKENS):
        return recipe, None
    _require_small(data)
    try:
        files = _write(run / TOKENS, data, _HELD_OUT, report)
    except NothingToHoldOut:
        shutil.rmtree(run / TOKENS, ignore_errors=True)
        folder = run / f"{TOKENS}-all"
        _write(folder, data, 0.0, report)
        recipe = with_changes(recipe, {"data.folder": str(folder), "held_out": 0})
        return recipe, "the text is a single document, so nothing is held out: put <|endoftext|> between documents."
    available = _held_out_sequences(files, recipe.batch.length)
    if available >= recipe.held_out:
        return recipe, None
    note = f"the held-out text has {available} sequences of {recipe.batch.length} tokens; the recipe asks for more."
    return with_changes(recipe, {"held_out": available}), note


def _held_out_sequences(files: TokenFiles, length: int) -> int:
    """How many sequences of `length` predicted tokens the held-out documents have."""
    return sum(max(0, int(n_ids) - 1) // length for n_ids in np.diff(files.held_out.starts))


def _write(folder: Path, data: Sequence[str], held_out: float, report: Callable[[str, int, int], None]) -> TokenFiles:
    return write_token_files(folder, DataOptions(tuple(data), "bytes", held_out), report=report)


def _require_small(data: Sequence[str]) -> None:
    files = [file for source in data for file in _files(Path(source).expanduser())]
    size = sum(file.stat().st_size for file in files)
    if size > _LARGEST:
        raise InputError(
            f"--data {data[0]}: {size / 1e9:.1f} GB. Tokenize it once, zerosum data {data[0]} --tokenizer T --out DIR, "
            "and train with --data DIR."
        )


def _files(path: Path) -> list[Path]:
    return [file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
