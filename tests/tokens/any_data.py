"""Data files that nobody would write: each is read as sequences of the vocabulary, or one line says why not."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.tokens import PADDING, TokenSequences, byte_tokenizer, read_tokens
from zerosum.tokens.files import DataOptions, write_token_files

VALUES: list[Any] = [
    *("some text", "x" * 90, "", " \n", "\ud800", "a\udfffb", "\x00\x1b[2J", "\ufeff", "é漢🙂", "<|end|>", None, True),
    *([], [1, 2, 3], [[]], [[1, 2]], ["a"], [1.5], [True, False], [-1, 3], [10**30], [256] * 9, [257], 0, 1.5, {}),
    *({"text": "a"}, float("nan"), 10**400, [None], [1, "a"], [2**63], list(range(40))),
]
NAMES = ["a.jsonl", "a.json", "a.txt", "a", "a.npy", "a.bin", "a.jsonl.gz", "a.parquet", "a\udc80.jsonl", "a\x1b.txt"]
DTYPES = ["<u2", "<u4", "<i8", "<i4", "<i1", "<f4", "?", "<U3", "<c8"]
VOCABULARY = 257


def read_any_data(folder: Path, cases: int) -> None:
    """Each case: one or two files of any content under any name, read as any field, packed or not."""
    tokenizer = byte_tokenizer()
    for case in range(cases):
        rng = np.random.default_rng(case)
        files = _write_files(folder, rng)
        options = {
            "sequence_length": [None, 1, 5, 40][rng.integers(4)],
            "pack": [None, True, False][rng.integers(3)],
            "max_sequences": [None, 1, 7][rng.integers(3)],
            "field": ["text", "text", "ids"][rng.integers(3)],
            "domain": [None, None, None, "ids"][rng.integers(4)],
            "tokenizer": [None, *[tokenizer] * 4][rng.integers(5)],
        }
        try:
            _read_or_refused([str(file) for file in files], options)
        except BaseException as error:
            error.add_note(f"case {case}: {[file.read_bytes() for file in files]!r}, {options}"[:1_000])
            raise
        finally:
            for file in files:
                file.unlink()


def write_token_files_of_any_data(folder: Path, cases: int) -> int:
    """Each case: token files of one or two files of any content, in pieces of any size; how many were written."""
    n_written = 0
    for case in range(cases):
        rng = np.random.default_rng(case)
        data = folder / f"data{case}"
        data.mkdir()
        files = _write_files(data, rng)
        field, domain = ["text", "text", "ids"][rng.integers(3)], [None, None, "ids"][rng.integers(3)]
        options = DataOptions(tuple(map(str, files)), "bytes", float(rng.choice([0, 0.5])), 0, field, domain)
        sums = set()
        for piece_bytes in (1 << 24, int(rng.integers(1, 40))):
            try:
                written = write_token_files(folder / f"{case}-{piece_bytes}", options, piece_bytes=piece_bytes)
            except InputError as error:
                assert "\n" not in str(error)  # noqa: PT017
                sums.add("refused")
            else:
                written.verify()
                sums.add(written.sha256)
        assert len(sums) == 1, (case, [file.read_bytes() for file in files], options)
        n_written += sums != {"refused"}
    return n_written


def _write_files(folder: Path, rng: np.random.Generator) -> list[Path]:
    files = [folder / f"{number}{NAMES[rng.integers(len(NAMES))]}" for number in range(rng.integers(1, 3))]
    for file in files:
        file.write_bytes(_content(file.name, rng))
    return files


def _content(name: str, rng: np.random.Generator) -> bytes:
    """Of the kind that the name says, mostly, and sometimes damaged."""
    name = NAMES[rng.integers(len(NAMES))] if rng.random() < 0.1 else name
    if name.endswith((".npy", ".bin")):
        shape = [(7,), (40,), (3, 5), (0,), (2, 0), (), (2, 2, 2)][rng.integers(7)]
        dtypes = DTYPES if rng.random() < 0.2 else DTYPES[:2]
        array = rng.integers(0, 300 if rng.random() < 0.2 else 257, shape).astype(dtypes[rng.integers(len(dtypes))])
        content = _npy(array) if name.endswith(".npy") else array.tobytes()
    elif ".json" in name:
        rows = [_record(rng) for _ in range(rng.integers(0, 5))]
        content = "\n".join(json.dumps(row) for row in rows).encode(errors="surrogatepass")
        content = gzip.compress(content) if name.endswith(".gz") else content
    else:
        content = str(VALUES[rng.integers(len(VALUES))]).encode(errors="surrogatepass")
    if rng.random() < 0.1 and content:
        cut = int(rng.integers(len(content)))
        content = content[:cut] + content[cut + int(rng.integers(1, 5)) :]
    return content


def _record(rng: np.random.Generator) -> Any:
    if rng.random() < 0.1:
        return VALUES[rng.integers(len(VALUES))]
    usual = {"text": ["some text", [1, 2, 3]][rng.integers(2)], "ids": [4, 5]}
    changed = {name: VALUES[rng.integers(len(VALUES))] for name in ("text", "ids") if rng.random() < 0.25}
    return usual | changed


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _read_or_refused(files: list[str], options: dict[str, Any]) -> None:
    try:
        read = read_tokens(files, vocab_size=VOCABULARY, **options)
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
        _require_sound(read)
    assert "\n" not in refused


def _require_sound(read: TokenSequences) -> None:
    predicted = read.predicted
    assert predicted.any(1).all()
    assert (predicted[:, :-1] >= predicted[:, 1:]).all()  # padding stands at the end
    known = read.ids[read.ids != PADDING]
    assert known.min() >= 0
    assert known.max() < VOCABULARY
    documents = np.broadcast_to(read.document.reshape(len(read.ids), -1), predicted.shape)[predicted]
    assert ((documents >= 0) & (documents < len(read.documents))).all()
    assert read.domain is None or len(read.domains) > read.domain.max()
