"""One file for each format; the first that knows a file reads it. Plain text knows every file, so it is last."""

from types import ModuleType

from zerosum.tokens.formats import jsonl, npy, parquet, text, token_bin

READERS: tuple[ModuleType, ...] = (npy, token_bin, parquet, jsonl, text)
