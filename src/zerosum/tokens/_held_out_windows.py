"""Windows of held-out documents to measure losses on: the same windows in every call, from as many documents as fit."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Int64, Integer

from zerosum.errors import InputError
from zerosum.tokens._sequences import TokenSequences


@dataclass(frozen=True)
class HeldOutDocument:
    """name: for tables. seed: of the order of its windows, at least 0. ids: [n]. domain: index of its domain."""

    name: str
    seed: int
    ids: Integer[np.ndarray, " n"]
    domain: int = 0


def held_out_windows(
    documents: Iterable[HeldOutDocument], n_sequences: int, length: int, domains: tuple[str, ...] = ()
) -> TokenSequences:
    """`n_sequences` windows of `length` predicted tokens; always the same windows for the same documents.

    Every document gives a first window before any gives a second, in the order given. The windows of a document have no
    common predicted positions and come in a random order (the start of a text is not typical of it).
    domains: names of the domains; () where there is nothing to tell apart.
    Raises InputError where the documents are too short.
    """
    if n_sequences < 1 or length < 1:
        raise InputError(f"{n_sequences} sequences of {length} tokens: both must be at least 1.")
    windows = list(islice(_in_turn(documents, length), n_sequences))
    if len(windows) < n_sequences:
        raise InputError(
            f"{n_sequences} sequences of {length} tokens: the held-out text has only {len(windows)}. Ask for fewer."
        )
    used = list({id(document): document for document, _ in windows}.values())
    number_of = {id(document): number for number, document in enumerate(used)}
    return TokenSequences(
        ids=np.stack([document.ids[start : start + length + 1] for document, start in windows]).astype(np.int64),
        document=np.array([number_of[id(document)] for document, _ in windows], dtype=np.int64),
        documents=tuple(document.name for document in used),
        domain_of=np.array([document.domain for document in used] if domains else [], dtype=np.int32),
        domains=domains,
        options={"data": "held-out windows", "sequence_length": length, "max_sequences": n_sequences},
    )


def document_order(n: int) -> list[int]:
    """The order in which n held-out documents are taken: random, and always the same."""
    order: list[int] = np.random.default_rng(0).permutation(n).tolist()
    return order


def some_windows(documents: Iterable[HeldOutDocument], most: int, length: int) -> list[Integer[np.ndarray, " n"]]:
    """Ids of at most so many windows, in the order of `held_out_windows`; a document too short for one is one whole."""
    windows = islice(_in_turn(documents, length, whole=True), most)
    return [document.ids[start : start + length + 1] for document, start in windows]


def _in_turn(
    documents: Iterable[HeldOutDocument], length: int, whole: bool = False
) -> Iterator[tuple[HeldOutDocument, int]]:
    """Documents with the start of a window: a first window of each document, then a second.

    whole: documents too short for a window give one at their start.
    """
    turn: list[tuple[HeldOutDocument, Int64[np.ndarray, " n"]]] = []
    for document in documents:
        end = max(len(document.ids) - length, whole)
        starts = np.random.default_rng(document.seed).permutation(np.arange(0, end, length))
        if len(starts):
            yield document, int(starts[0])
            turn.append((document, starts))
    for k in range(1, max((len(starts) for _, starts in turn), default=0)):
        turn = [(document, starts) for document, starts in turn if k < len(starts)]
        yield from ((document, int(starts[k])) for document, starts in turn)
