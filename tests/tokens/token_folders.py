"""Small folders of token files, written by hand or by `write_token_files`."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zerosum.tokens.files import DataOptions, Split, TokenFiles, write_token_files

END = 256
_OPERATIONS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "shutil.rmtree"}


def split_of(documents: list[list[int]], domain: list[int] | None = None, dtype: str = "<u2") -> Split:
    """A split in memory."""
    ids = np.array([token for document in documents for token in document], dtype)
    starts = np.cumsum([0, *map(len, documents)]).astype(np.int64)
    return Split(ids, starts, np.array(domain or [0] * len(documents), np.int32))


def documents_of(split: Split) -> list[list[int]]:
    """The ids of each document."""
    bounds = zip(split.starts[:-1].tolist(), split.starts[1:].tolist(), strict=True)
    return [split.ids[start:end].tolist() for start, end in bounds]


def written(folder: Path, *data: Path, jobs: int = 1, piece_bytes: int = 1 << 24, **options: object) -> TokenFiles:
    """Token files of some data, with the byte tokenizer."""
    chosen = DataOptions(**{"data": tuple(map(str, data)), "tokenizer": "bytes", "held_out": 0.3, **options})
    return write_token_files(folder, chosen, jobs=jobs, piece_bytes=piece_bytes)


def kill_before(operation: int, folder: Path, work: Callable[[], object]) -> int | None:
    """Do the work in a process that is killed before its n-th operation on the files of a folder.

    Returns the number of operations where there were fewer, else None.
    """
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        count = 0

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event in _OPERATIONS and str(folder) in str(arguments[0]):
                count += 1
                if count == operation:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            work()
            os.write(write, str(count).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as counted:
        count = counted.read()
    os.waitpid(process, 0)
    return int(count) if count else None


def write_texts(folder: Path, n: int, seed: int = 0) -> list[str]:
    """`n` different texts of words in the files of a folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    texts = [f"{k} " + " ".join(f"w{w}" for w in rng.integers(0, 50, rng.integers(1, 60))) for k in range(n)]
    for number, text in enumerate(texts):
        (folder / f"{number:04d}.txt").write_text(text, newline="")
    return texts


def write_jsonl(file: Path, records: list[object]) -> Path:
    """A file of JSON Lines."""
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def texts_of(files):
    """The texts of the documents of each split, which the byte tokenizer has encoded."""
    return [
        [bytes(ids[:-1]).decode() for ids in documents_of(split) if ids[-1] == END]
        for split in (files.train, files.held_out)
    ]


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
