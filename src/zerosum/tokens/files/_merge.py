"""Joins finished pieces into the files of the two splits, without copies of documents."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int8, Int32, Int64

from zerosum.atomic import new_file
from zerosum.errors import InputError
from zerosum.tokens._held_out_windows import HeldOutDocument, document_order
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
from zerosum.tokens.ngrams import NgramLadder, ladder_of_documents

_IDS = 1 << 20  # ids copied at a time


@dataclass(frozen=True)
class _Labelled:
    """A finished piece. split [D], domain [D]: place in SPLITS (or COPY) and domain of each of its documents."""

    piece: Piece
    split: Int8[np.ndarray, " D"]
    domain: Int32[np.ndarray, " D"]


@dataclass(frozen=True)
class LabelledPieces:
    """All finished pieces. domains: names of the domains. n_empty: documents without a token."""

    pieces: list[_Labelled]
    domains: list[str]
    n_empty: int


def read_labelled(
    folder: Path, names: Sequence[str], facts: Sequence[Facts], share: float | int, seed: int
) -> LabelledPieces:
    """Read what finished pieces say of their documents, and decide which split each belongs to.

    facts: of each piece. share, seed: see `assign_splits`. Raises InputError for too few documents or too many domains.
    """
    domains = list(dict.fromkeys(name for record in facts for name in record["domains"]))
    if len(domains) > MOST_DOMAINS:
        raise too_many_domains("all documents")
    code = {name: number for number, name in enumerate(domains)}
    pieces = [read_piece(folder, name) for name in names]
    digests = np.concatenate([piece.digests for piece in pieces])
    ends = np.cumsum([len(piece.lengths) for piece in pieces])
    splits = np.split(assign_splits(digests, share, seed), ends[:-1])
    codes = [np.array([code[name] for name in record["domains"]], np.int32) for record in facts]
    labelled = [
        _Labelled(piece, split, own[piece.domain]) for piece, split, own in zip(pieces, splits, codes, strict=True)
    ]
    return LabelledPieces(labelled, domains, sum(record["empty"] for record in facts))


def merge(
    labelled: LabelledPieces,
    out: Path,
    choice: TokenizerChoice,
    options: dict[str, Any],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Index:
    """Write the files of both splits into `out`, where they appear together, and return their index.

    report: called with the finished parts of the work and all parts.
    """
    pieces = labelled.pieces
    n_ids = sum(int(piece.piece.lengths.sum()) for piece in pieces)
    require_disk(out, n_ids * choice.dtype.itemsize + sum(12 * len(piece.split) for piece in pieces))
    with ExitStack() as stack:
        parts = {name: stack.enter_context(new_file(out / name)) for name in DATA_FILES}
        bounds = {}
        for done, split in enumerate(SPLITS):
            report(done, 5)
            bounds[split] = _write_split(pieces, split, parts, choice.dtype)
        with parts[NAMES].open("w", encoding="ascii") as file:
            file.writelines(_names(pieces, SPLITS.index(HELD_OUT)))
        report(2, 5)
        train_ids, held_out_ids = (StoredIds(parts[split_files(split)[0]], choice.dtype) for split in SPLITS)
        shared = overlap(train_ids, held_out_ids, bounds[HELD_OUT])
        report(3, 5)
        ladder = _ngrams(train_ids, held_out_ids, bounds[HELD_OUT], choice.vocabulary)
        report(4, 5)
        files = {name: sha256_of(part) for name, part in parts.items()}
    report(5, 5)
    for path in sorted((out / TOKENIZER).iterdir()):
        files[f"{TOKENIZER}/{path.name}"] = sha256_of(path)
    train, held_out = (_facts(pieces, code, len(labelled.domains)) for code in range(len(SPLITS)))
    return Index(
        dtype="uint16" if choice.dtype.itemsize == 2 else "uint32",
        vocabulary=choice.vocabulary,
        end_of_document=choice.end_id,
        domains=labelled.domains,
        train=train,
        held_out=held_out,
        empty=labelled.n_empty,
        copies=sum(int((piece.split == COPY).sum()) for piece in pieces),
        tokenizer=choice.used,
        overlap=shared,
        options=options,
        files=files,
        ngrams=ladder,
    )


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


def _ngrams(
    train: StoredIds, held_out: StoredIds, bounds: Int64[np.ndarray, " _"], vocabulary: int
) -> NgramLadder | None:
    """The n-gram ladder, without its time: the index is the same for the same data."""
    documents = (
        HeldOutDocument("", number, held_out[int(bounds[number]) : int(bounds[number + 1])])
        for number in document_order(len(bounds) - 1)
    )
    ladder = ladder_of_documents(train, documents, vocabulary)
    return ladder and replace(ladder, seconds=None)


def _facts(labelled: list[_Labelled], code: int, n_domains: int) -> SplitFacts:
    lengths: Int64[np.ndarray, " D"] = _of_split(labelled, code, [piece.piece.lengths for piece in labelled])
    domain = _of_split(labelled, code, [piece.domain for piece in labelled])
    documents = np.bincount(domain, minlength=n_domains)
    tokens = np.zeros(n_domains, np.int64)
    np.add.at(tokens, domain, lengths)
    by_domain = [Amount(int(n), int(d)) for n, d in zip(tokens, documents, strict=True)]
    return SplitFacts(int(lengths.sum()), len(lengths), by_domain)
