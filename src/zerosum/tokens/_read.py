"""Token sequences from files that others wrote."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.tokens._document import Fields
from zerosum.tokens._ids import Bos, Ids
from zerosum.tokens._packing import Window, one_by_one, packed
from zerosum.tokens._sequences import PADDING, TokenSequences
from zerosum.tokens._sources import columns_of, documents, files_of

LONGEST = 1_024  # predicted tokens of a sequence, where the caller does not say


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

    data: text files (each one document), JSON Lines, Parquet, `.npy` of ids [sequence, position] or [position], nanoGPT
    `.bin`, folders of these, Hugging Face datasets by name or as saved to disk. tokenizer: a transformers tokenizer,
    needed for text; it also tells where the documents of a long row of ids end. vocab_size: of the model; ids outside
    it are refused.
    sequence_length: by default `longest`, and for matrices of ids their columns less one.
    pack: documents are joined, each text followed by the tokenizer's end-of-text token unless texts begin with that
    token; attention and predictions cross their boundaries, as in pretraining. Without it, a sequence holds ids of one
    document: long ones are split (each part begins with the last id of the one before), short ones padded. None means
    packed, but for matrices of ids. Ids are taken as they are: nothing is added to them.
    bos: whether a text begins with the BOS token; "auto": where the tokenizer does so itself.
    field, domain: fields of a record with its text (or list of ids) and its domain; without `domain`, each of several
    files is one. Raises InputError for data that is empty, damaged, or not of the model's vocabulary.
    """
    sources = [str(one) for one in ([data] if isinstance(data, str | Path) else data)]
    for name, value in (("--sequence-length", sequence_length), ("--max-sequences", max_sequences)):
        if value is not None and value < 1:
            raise InputError(f"{name} {value}: give at least 1.")
    files = [file for source in sources for file in files_of(source)]
    columns = columns_of(files)
    joined = columns is None if pack is None else pack
    length = sequence_length or (longest if columns is None else columns - 1)
    if length < 1:
        raise InputError(f"{sources[0]}: rows of {columns} token: nothing to predict. Give at least two to a row.")
    ids = Ids(tokenizer, joined, bos, vocab_size, None if max_sequences is None else max_sequences * length + 1)
    found = (
        one
        for file in files
        for one in documents(file, Fields(field, domain), Path(file).name if len(files) > 1 else None)
    )
    rows = list(islice((packed if joined else one_by_one)(ids.of_all(found), length), max_sequences))
    if not rows:
        raise InputError(f"{', '.join(sources)}: no document of two tokens, so nothing to predict. Give more text.")
    options = {
        "data": sources,
        "sequence_length": length,
        "pack": joined,
        "bos_token": ids.bos_id,
        "end_of_text_token": ids.added_after,
        "max_sequences": max_sequences,
        "documents_too_short": ids.too_short,
    }
    return _sequences(rows, ids, options)


def _sequences(windows: list[Window], read: Ids, options: dict[str, Any]) -> TokenSequences:
    ids, labels = np.stack([row for row, _ in windows]), np.stack([label for _, label in windows])
    used = int((ids != PADDING).sum(axis=1).max())
    ids, labels = ids[:, :used], labels[:, : used - 1]
    first = labels[:, :1]
    if ((labels == first) | (labels == PADDING)).all():
        labels = first[:, 0]
    n_documents = int(labels.max()) + 1
    names = [name or "unnamed" for name in read.domains[:n_documents]]
    domains = tuple(dict.fromkeys(names)) if any(read.domains[:n_documents]) else ()
    domain_of = np.array([domains.index(name) for name in names] if domains else [], dtype=np.int32)
    return TokenSequences(ids, labels, tuple(read.documents[:n_documents]), domain_of, domains, options)
