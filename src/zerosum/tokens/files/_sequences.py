"""Sequences of a folder of token files, to measure a model on."""

from pathlib import Path
from typing import Literal

import numpy as np

from zerosum.errors import InputError
from zerosum.tokens._sequences import TokenSequences, require_vocabulary
from zerosum.tokens.files._batches import epoch_batch, n_windows
from zerosum.tokens.files._open import TokenFiles, open_token_files


def read_token_files(
    folder: str | Path,
    *,
    split: Literal["train", "held_out"] = "held_out",
    length: int,
    most: int | None = None,
    vocab_size: int | None = None,
) -> TokenSequences:
    """Sequences of `length` predicted tokens: windows of held-out documents, or of the training text in random order.

    most: number of sequences at most; None: all. vocab_size: of the model; ids outside it are refused.
    Raises InputError where the folder is damaged or its text too short.
    """
    files = open_token_files(folder)
    tokens = _held_out(files, length, most) if split == "held_out" else _train(files, length, most)
    require_vocabulary(tokens.ids, vocab_size, str(folder))
    return tokens


def _held_out(files: TokenFiles, length: int, most: int | None) -> TokenSequences:
    available = int(((np.diff(files.held_out.starts) - 1) // length).clip(min=0).sum())
    return files.held_out_tokens(_number(files, available, most, length), length)


def _train(files: TokenFiles, length: int, most: int | None) -> TokenSequences:
    number = _number(files, n_windows(files.train, length), most, length)
    ids, domain = epoch_batch(files.train, 0, 0, number, length)
    names = tuple(f"window {k}" for k in range(number))
    domains = files.domains if len(files.domains) > 1 else ()
    domain_of = domain.astype(np.int32) if domains else np.empty(0, dtype=np.int32)
    options = {"data": str(files.folder), "sequence_length": length, "max_sequences": most}
    return TokenSequences(ids, np.arange(number, dtype=np.int64), names, domain_of, domains, options)


def _number(files: TokenFiles, available: int, most: int | None, length: int) -> int:
    if not available:
        raise InputError(f"{files.folder}: no document of more than {length} tokens. Give a smaller --sequence-length.")
    return min(available, most or available)
