"""Folders of token files for training: memory-mapped ids with the bounds and domain of each document, in two splits.

Written by `zerosum data`. docs/data.md describes the files. Needs no torch.
"""

from zerosum.tokens.files._batches import epoch_batch, n_windows
from zerosum.tokens.files._index import Index, Overlap
from zerosum.tokens.files._open import Split, TokenFiles, is_token_folder, open_token_files
from zerosum.tokens.files._sequences import read_token_files
from zerosum.tokens.files._splitting import NothingToHoldOut
from zerosum.tokens.files._write import DataOptions, write_token_files

__all__ = [
    "DataOptions",
    "Index",
    "NothingToHoldOut",
    "Overlap",
    "Split",
    "TokenFiles",
    "epoch_batch",
    "is_token_folder",
    "n_windows",
    "open_token_files",
    "read_token_files",
    "write_token_files",
]
