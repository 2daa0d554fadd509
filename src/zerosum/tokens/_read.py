"""Reads files and datasets as token sequences."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.tokens._document import Document, Fields
from zerosum.tokens._ids import Bos, DocumentEncoder
from zerosum.tokens._packing import Window, one_by_one, packed
from zerosum.tokens._sequences import PADDING, TokenSequences
from zerosum.tokens._sources import columns_of, documents, domain_names, files_of

LONGEST = 1_024  # default for the predicted tokens of a sequence


def read_tokens(
    data: str | Path | Sequence[str | Path],
    *,
    tokenizer: Any = None,
    vocab_size: int | None = None,
    sequence_length: int | None = None,
    longest: int = LONGEST,
    pack: bool | None = None,
    bos: Bos = "auto",
    max_sequences: int | None = None,
    field: str = "text",
    domain: str | None = None,
) -> TokenSequences:
    """Read texts or token ids as sequences that each predict `sequence_length` tokens.

    data: text files (one document each), JSON Lines, Parquet, `.npy` of ids [sequence, position] or [position], nanoGPT
    `.bin`, folders of these, Hugging Face datasets by name or as saved to disk.
    tokenizer: a transformers tokenizer. Texts need it; in a long row of ids its end-of-text token ends a document.
    vocab_size: of the model; ids outside it are refused.
    sequence_length: by default `longest`, or for matrices of ids the number of columns less 1.
    pack: join the documents, and end each text with the tokenizer's end-of-text token unless texts begin with that
    token; attention and predictions cross the boundaries, as in pretraining. Otherwise a sequence holds ids of a single
    document: long documents are split (each piece begins with the last id of the piece before), short ones padded. By
    default everything except matrices of ids is packed. Data given as ids gets no tokens added.
    bos: whether a text begins with the BOS token; "auto": if the tokenizer adds it by itself.
    field, domain: the fields of a record with its text (or list of ids) and its domain. Without `domain`, each of
    several `data` is a domain, and each of several files where only one folder or pattern is given.
    Raises InputError for data that is empty, damaged, or outside the model's vocabulary.
    """
    sources = [str(source) for source in ([data] if isinstance(data, str | Path) else data)]
    for name, value in (("--sequence-length", sequence_length), ("--max-sequences", max_sequences)):
        if value is not None and value < 1:
            raise InputError(f"{name} {value}: give at least 1.")
    domain_of = _domains(sources)
    files = list(domain_of)
    columns = columns_of(files)
    pack = columns is None if pack is None else pack
    length = sequence_length or (longest if columns is None else columns - 1)
    if length < 1:
        raise InputError(
            f"{sources[0]}: its rows have {columns} token, so nothing to predict. Give at least 2 per row."
        )
    max_ids = None if max_sequences is None else max_sequences * length + 1
    encoder = DocumentEncoder(tokenizer, pack, bos, vocab_size, max_ids)
    encoded = encoder.encode_all(_documents(domain_of, Fields(field, domain)))
    windows = list(islice((packed if pack else one_by_one)(encoded, length), max_sequences))
    if not windows:
        raise InputError(f"{', '.join(sources)}: no document of two tokens, so nothing to predict. Give more text.")
    options = {
        "data": sources,
        "sequence_length": length,
        "pack": pack,
        "bos_token": encoder.bos_id,
        "end_of_text_token": encoder.end_id,
        "max_sequences": max_sequences,
        "documents_too_short": encoder.n_too_short,
    }
    return _sequences(windows, encoder, options)


def _domains(sources: list[str]) -> dict[str, str | None]:
    """The files of all sources with the default domain of their documents: the name of the source, or of the file where
    one source has several; None where there is a single file."""
    if len(sources) > 1:
        pairs = zip(sources, domain_names(sources), strict=True)
        return {file: domain for source, domain in pairs for file in files_of(source)}
    files = files_of(sources[0])
    return {file: Path(file).name if len(files) > 1 else None for file in files}


def _documents(domain_of: dict[str, str | None], fields: Fields) -> Iterator[Document]:
    """The documents of all files, each with the domain of its file where its record states none."""
    for file, domain in domain_of.items():
        yield from documents(file, fields, domain)


def _sequences(windows: list[Window], encoder: DocumentEncoder, options: dict[str, Any]) -> TokenSequences:
    """Stack windows, drop columns that are all padding, and keep one document per sequence where that suffices."""
    ids = np.stack([window_ids for window_ids, _ in windows])
    labels = np.stack([window_labels for _, window_labels in windows])
    n_columns = int((ids != PADDING).sum(axis=1).max())
    ids, labels = ids[:, :n_columns], labels[:, : n_columns - 1]
    first = labels[:, :1]
    if ((labels == first) | (labels == PADDING)).all():
        labels = first[:, 0]
    n_documents = int(labels.max()) + 1
    names = [name or "unnamed" for name in encoder.domains[:n_documents]]
    domains = tuple(dict.fromkeys(names)) if any(encoder.domains[:n_documents]) else ()
    domain_of = np.array([domains.index(name) for name in names] if domains else [], dtype=np.int32)
    return TokenSequences(ids, labels, tuple(encoder.documents[:n_documents]), domain_of, domains, options)
