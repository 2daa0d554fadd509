"""Groups of training and held-out tokens by one grouping, and the batches in which every group has its tokens.

Letters: n training sequences and S held-out ones of T predicted tokens, K groups, B batches of s sequences.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64

from zerosum.errors import InputError
from zerosum.interference.labelled import Change, Labels, TokenText, label
from zerosum.tokens import PADDING, TokenSequences
from zerosum.training.replay.labelled_tokens import change_of

MOST_GROUPS = 12  # rows and columns of a matrix that people can read; the smallest others are one group
WHOLE_TEXTS = "domain"  # the grouping whose groups are whole sequences: a batch has as many of each

Losses = Callable[[Int[np.ndarray, "n L"]], np.ndarray]


@dataclass(frozen=True, eq=False)
class GroupBatch:
    """One batch. rows: [s] which training sequences. code: [s, T] group of each predicted token, -1 at padding.

    weights: [K] share of each group in the mixture, 0 where the batch has no token of it.
    """

    rows: Int64[np.ndarray, " s"]
    code: Int64[np.ndarray, "s T"]
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class StepGroups:
    """names: of the K groups. note: what they are. held_out: [S, T] group of each held-out token, -1 at padding."""

    names: tuple[str, ...]
    note: str
    batches: tuple[GroupBatch, ...]
    held_out: Int64[np.ndarray, "S T"]


def step_groups(
    by: str,
    train: TokenSequences,
    held_out: TokenSequences,
    losses: Losses,
    size: int,
    number: int,
    seed: int,
    text: TokenText | None = None,
    step: int = 0,
) -> StepGroups:
    """Groups and batches. losses: of sequences, for groupings that need them. size: sequences of a batch; with
    `--by domain` of each domain. number: of batches. text: decodes tokens.

    Raises InputError where fewer than two groups have tokens in both texts, and where sequences are too few.
    """
    if by == WHOLE_TEXTS:
        _require_domains(train, "training", "--train")
        _require_domains(held_out, "held-out", "--data")
        both, zeros = _joined(train, held_out), np.zeros(1)
        labels = label(by, _change(both, zeros, step), text)
        rows = np.arange(len(train.ids))
    else:
        rows = _random_rows(len(train.ids), size, number, seed)
        both = _joined(train.chosen(rows), held_out)
        labels = label(by, _change(both, losses(both.ids), step), text)
    code = np.full(both.predicted.shape, PADDING, dtype=np.int64)
    code[both.predicted] = labels.code
    names, code = _largest(by, labels, code, len(rows))
    of_train, of_held_out = code[: len(rows)], code[len(rows) :, : held_out.ids.shape[1] - 1]
    of_train = of_train[:, : train.ids.shape[1] - 1]
    if by == WHOLE_TEXTS:
        batches = _by_text(of_train, len(names), size, number, seed)
    else:
        parts = np.arange(len(rows)).reshape(number, size)
        batches = tuple(_as_it_comes(rows[part], of_train[part], len(names)) for part in parts)
    return StepGroups(names, labels.note, batches, of_held_out)


def _require_domains(tokens: TokenSequences, words: str, option: str) -> None:
    if len(tokens.domains) < 2:
        limit = tokens.options.get("max_sequences")
        raise InputError(
            f"--by domain: the {words} text has {len(tokens.domains) or 'no known'} domain. Give several {option}, "
            "each a domain, or name the field of records that holds it with --domain."
            + (
                f" If it has more, they begin after the first {limit:,} sequences, and only these are read."
                if limit
                else ""
            )
        )


def _random_rows(available: int, size: int, number: int, seed: int) -> Int64[np.ndarray, " n"]:
    if size * number > available:
        raise InputError(
            f"{available} training sequences: too few for {number} batches of {size}. Give more --train data, or a "
            "smaller --batch-size or --batches."
        )
    return np.random.default_rng(seed).permutation(available)[: size * number].astype(np.int64)


def _largest(
    by: str, labels: Labels, code: Int64[np.ndarray, "m T"], n_train: int
) -> tuple[tuple[str, ...], Int64[np.ndarray, "m T"]]:
    """The groups with most tokens that are in both texts, in their order, and the other tokens as a last group."""
    in_train, in_held_out = (
        np.bincount(part[part >= 0], minlength=len(labels.names)) for part in (code[:n_train], code[n_train:])
    )
    both = np.flatnonzero((in_train > 0) & (in_held_out > 0))
    if len(both) < 2:
        raise InputError(
            f"--by {by}: {len(both) or 'no'} group has tokens in both the training and the held-out text, and a matrix "
            "needs two. Give texts of the same kinds, or another --by."
        )
    others = np.flatnonzero((in_train + in_held_out > 0) & ~np.isin(np.arange(len(in_train)), both))
    most = MOST_GROUPS if not len(others) and len(both) <= MOST_GROUPS else MOST_GROUPS - 1
    largest = both[np.argsort(-(in_train + in_held_out)[both], kind="stable")[:most]]
    shown = np.sort(largest)
    place = np.full(len(labels.names) + 1, len(shown), dtype=np.int64)
    place[shown], place[-1] = np.arange(len(shown)), PADDING  # -1, padding, is the last entry
    rest = sorted({*both.tolist(), *others.tolist()} - set(shown.tolist()))
    last = [labels.names[rest[0]] if len(rest) == 1 else f"{len(rest):,} others"] if rest else []
    return (*(labels.names[k] for k in shown), *last), place[code]


def _as_it_comes(rows: Int64[np.ndarray, " s"], code: Int64[np.ndarray, "s T"], n_groups: int) -> GroupBatch:
    counts = np.bincount(code[code >= 0], minlength=n_groups)
    return GroupBatch(rows, code, counts / counts.sum())


def _by_text(
    code: Int64[np.ndarray, "n T"], n_groups: int, size: int, number: int, seed: int
) -> tuple[GroupBatch, ...]:
    """Batches with `size` sequences of each group, as far as there are so many; weights are those of the whole text.

    A sequence belongs to the group of most of its tokens; its other tokens count for their own groups.
    """
    counts = np.stack([(code == group).sum(1) for group in range(n_groups)], axis=1)
    main, tokens = counts.argmax(1), counts.sum(0)
    generator = np.random.default_rng(seed)
    drawn = [generator.permutation(np.flatnonzero(main == group)) for group in range(n_groups)]
    each = [min(size, len(rows) // number) for rows in drawn]
    if not any(each):
        raise InputError(
            f"{len(code)} training sequences: fewer than {number} of any domain. Give more --train data, shorter "
            "sequences (--sequence-length) or fewer --batches."
        )
    batches = []
    for number_of_batch in range(number):
        rows = np.concatenate(
            [rows[number_of_batch * n : (number_of_batch + 1) * n] for rows, n in zip(drawn, each, strict=True)]
        )
        present = counts[rows].sum(0) > 0
        weights = np.where(present, tokens, 0)
        batches.append(GroupBatch(rows.astype(np.int64), code[rows], weights / weights.sum()))
    return tuple(batches)


def _joined(first: TokenSequences, second: TokenSequences) -> TokenSequences:
    """The sequences of both, padded to one length; documents are numbered on, domains of one name are one."""
    length = max(first.ids.shape[1], second.ids.shape[1])
    ids = np.concatenate([_widened(tokens.ids, length) for tokens in (first, second)])
    documents = [
        _widened(np.broadcast_to(tokens.document.reshape(len(tokens.ids), -1), tokens.predicted.shape), length - 1)
        for tokens in (first, second)
    ]
    documents[1] = np.where(documents[1] >= 0, documents[1] + len(first.documents), PADDING)
    known = first.domains and second.domains
    domains = tuple(dict.fromkeys(first.domains + second.domains)) if known else ()
    place = [np.array([domains.index(name) for name in tokens.domains]) for tokens in (first, second)] if known else []
    of = [places[tokens.domain_of] for places, tokens in zip(place, (first, second), strict=False)]
    domain_of = np.concatenate(of).astype(np.int32) if of else np.empty(0, dtype=np.int32)
    return TokenSequences(ids, np.concatenate(documents), first.documents + second.documents, domain_of, domains)


def _widened(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, length - values.shape[1])), constant_values=PADDING)


def _change(tokens: TokenSequences, before: np.ndarray, step: int) -> Change:
    """The tokens as the groupings take them: a change of 0 from these losses, at one checkpoint."""
    before = np.broadcast_to(before, tokens.predicted.shape)
    return change_of(tokens, before, before, step)
