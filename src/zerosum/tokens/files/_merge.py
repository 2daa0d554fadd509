"""Joins finished pieces into the files of the two splits, without copies of documents."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, Int32, Int64

from zerosum.atomic import new_file
from zerosum.errors import InputError
from zerosum.tokens.files._index import (
    DATA_FILES,
    HELD_OUT,
    MOST_DOMAINS,
    NAMES,
    SPLITS,
    TOKENIZER,
    Amount,
    Index,
    SplitFacts,
    split_files,
)
from zerosum.tokens.files._open import sha256_of
from zerosum.tokens.files._overlap import overlap
from zerosum.tokens.files._pieces import Facts, Piece, read_piece, too_many_domains
from zerosum.tokens.files._splitting import COPY, assign_splits
from zerosum.tokens.files._stored_ids import StoredIds
from zerosum.tokens.files._tokenizers import TokenizerChoice

_IDS = 1 << 20  # ids copied at a time


@dataclass(frozen=True)
class _Labelled:
    """A finished piece. split [D], domain [D]: place in SPLITS (or COPY) and domain of each of its documents."""

    piece: Piece
    split: Int8[np.ndarray, " D"]
    domain: Int32[np.ndarray, " D"]


def merge(
    folder: Path,
    names: Sequence[str],
    facts: Sequence[Facts],
    out: Path,
    choice: TokenizerChoice,
    share: float | int,
    seed: int,
    options: dict[str, Any],
) -> Index:
    """Write the files of both splits into `out`, where they appear together, and return their index.

    folder, names, facts: of the finished pieces. share, seed: of the held-out split, see `assign_splits`.
    """
    domains = list(dict.fromkeys(name for record in facts for name in record["domains"]))
    if len(domains) > MOST_DOMAINS:
        raise too_many_domains("all documents")
    labelled = _labelled([read_piece(folder, name) for name in names], facts, domains, share, seed)
    _require_disk(labelled, out, choice.dtype)
    with ExitStack() as stack:
        parts = {name: stack.enter_context(new_file(out / name)) for name in DATA_FILES}
        bounds = {split: _write_split(labelled, split, parts, choice.dtype) for split in SPLITS}
        with parts[NAMES].open("w", encoding="ascii") as file:
            file.writelines(_names(labelled, SPLITS.index(HELD_OUT)))
        train_ids, held_out_ids = (StoredIds(parts[split_files(split)[0]], choice.dtype) for split in SPLITS)
        shared = overlap(train_ids, held_out_ids, bounds[HELD_OUT])
        files = {name: sha256_of(part) for name, part in parts.items()}
    for path in sorted((out / TOKENIZER).iterdir()):
        files[f"{TOKENIZER}/{path.name}"] = sha256_of(path)
    train, held_out = (_facts(labelled, code, len(domains)) for code in range(len(SPLITS)))
    return Index(
        dtype="uint16" if choice.dtype.itemsize == 2 else "uint32",
        vocabulary=choice.vocabulary,
        end_of_document=choice.end_id,
        domains=domains,
        train=train,
        held_out=held_out,
        empty=sum(record["empty"] for record in facts),
        copies=sum(int((piece.split == COPY).sum()) for piece in labelled),
        tokenizer=choice.used,
        overlap=shared,
        options=options,
        files=files,
    )


def _labelled(
    pieces: list[Piece], facts: Sequence[Facts], domains: list[str], share: float | int, seed: int
) -> list[_Labelled]:
    code = {name: number for number, name in enumerate(domains)}
    digests = np.concatenate([piece.digests for piece in pieces])
    ends = np.cumsum([len(piece.lengths) for piece in pieces])
    splits = np.split(assign_splits(digests, share, seed), ends[:-1])
    own = [np.array([code[name] for name in record["domains"]], np.int32) for record in facts]
    return [
        _Labelled(piece, split, codes[piece.domain]) for piece, split, codes in zip(pieces, splits, own, strict=True)
    ]


def _require_disk(labelled: list[_Labelled], out: Path, dtype: "np.dtype[Any]") -> None:
    n_ids = sum(int(piece.piece.lengths.sum()) for piece in labelled)
    needed = n_ids * dtype.itemsize + sum(12 * len(piece.split) for piece in labelled)
    require_disk(out, needed)


def require_disk(out: Path, needed: float | int) -> None:
    """Raise InputError where the disk of `out` has less than `needed` bytes free."""
    free = shutil.disk_usage(out).free
    if free < needed:
        raise InputError(
            f"{out}: {needed / 1e9:.3g} GB more are needed, and {free / 1e9:.3g} GB are free. Free disk space and "
            "start the same command again: it continues."
        )


def _write_split(
    labelled: list[_Labelled], split: str, parts: dict[str, Path], dtype: "np.dtype[Any]"
) -> Int64[np.ndarray, " _"]:
    """Write the three files of a split; return the bounds of its documents."""
    code = SPLITS.index(split)
    ids, starts, domain = (parts[name] for name in split_files(split))
    with ids.open("wb") as file:
        for piece in labelled:
            for block in _blocks(piece, code, dtype):
                file.write(block.tobytes())
    lengths = _of_split(labelled, code, [piece.piece.lengths for piece in labelled])
    bounds: Int64[np.ndarray, " _"] = np.concatenate([[0], np.cumsum(lengths)]).astype("<i8")
    domains = _of_split(labelled, code, [piece.domain for piece in labelled]).astype("<i4")
    for path, array in ((starts, bounds), (domain, domains)):
        with path.open("wb") as file:
            np.save(file, array)
    return bounds


def _blocks(piece: _Labelled, code: int, dtype: "np.dtype[Any]") -> Iterator[Any]:
    """The ids of the piece's documents in a split: of neighbours together, in blocks of bounded size."""
    ids = piece.piece.ids(dtype)
    ends = np.cumsum(piece.piece.lengths)
    changes = np.flatnonzero(np.diff(piece.split)) + 1
    for first, end in pairwise([0, *changes.tolist(), len(piece.split)]):
        if end > first and piece.split[first] == code:
            start, stop = int(ends[first] - piece.piece.lengths[first]), int(ends[end - 1])
            for at in range(start, stop, _IDS):
                yield ids[at : min(at + _IDS, stop)]


def _of_split(labelled: list[_Labelled], code: int, arrays: list[Any]) -> Any:
    """The values of the documents in a split."""
    return np.concatenate([array[piece.split == code] for piece, array in zip(labelled, arrays, strict=True)])


def _names(labelled: list[_Labelled], code: int) -> Iterator[str]:
    for piece in labelled:
        for name, split in zip(piece.piece.names(), piece.split, strict=True):
            if split == code:
                yield name


def _facts(labelled: list[_Labelled], code: int, n_domains: int) -> SplitFacts:
    lengths: Int64[np.ndarray, " D"] = _of_split(labelled, code, [piece.piece.lengths for piece in labelled])
    domain = _of_split(labelled, code, [piece.domain for piece in labelled])
    documents = np.bincount(domain, minlength=n_domains)
    tokens = np.zeros(n_domains, np.int64)
    np.add.at(tokens, domain, lengths)
    by_domain = [Amount(int(n), int(d)) for n, d in zip(tokens, documents, strict=True)]
    return SplitFacts(int(lengths.sum()), len(lengths), by_domain)
