"""The tokenizer that belongs to a store of per-token losses, to show its tokens as text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from zerosum.errors import InputError, MissingExtra
from zerosum.interference.labelled import TokenText
from zerosum.runs._directory import RunDirectory

FILE = "tokenizer.json"


def token_text(path: Path, store: xr.Dataset, asked: str | None = None) -> TokenText | None:
    """Decoder of the tokens of a store: the tokenizer asked for, or the store's own if it is on this machine.

    path: of the store. asked: a folder, or a name that transformers knows. None where no tokenizer is found.
    Raises InputError for a tokenizer that cannot be loaded.
    """
    if asked is not None:
        return TokenText(_load(asked))
    folder = next((folder for folder in _own_folders(path, store) if (folder / FILE).is_file()), None)
    return None if folder is None else TokenText(_load(str(folder)))


def _own_folders(path: Path, store: xr.Dataset) -> Iterator[Path]:
    """Folders that the store names, and the checkpoints of the run directory that it lies in."""
    named: Any = store.attrs.get("tokenizer_path") or store.attrs.get("tokenizer")
    named = named.get("path") if isinstance(named, dict) else named
    if isinstance(named, str) and named:
        yield Path(named)
    run = RunDirectory.of_losses(path)
    if run is not None:
        yield from sorted(run.path.glob("checkpoint-*"))


def _load(name: str) -> Any:
    """`tokenizer.json` by itself, within milliseconds; what else transformers can load, within seconds."""
    file = Path(name) / FILE
    if not file.is_file():
        from zerosum.tokens import load_tokenizer  # loads transformers

        return load_tokenizer(name)
    try:
        from tokenizers import Tokenizer
    except ImportError as missing:
        raise MissingExtra("tokenizers", "lm") from missing
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain exceptions for a damaged file
        cause = " ".join(str(error).split())[:200]
        raise InputError(f"{file}: not a tokenizer ({cause}). Name another folder with --tokenizer.") from error
