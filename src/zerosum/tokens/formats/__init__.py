"""Formats of data files, one module each. The first reader that matches a file reads it; `text` matches every file."""

from types import ModuleType

from zerosum.tokens.formats import jsonl, npy, parquet, text, token_bin

READERS: tuple[ModuleType, ...] = (npy, token_bin, parquet, jsonl, text)
