"""Section: what a folder of token files holds, and how much held-out text occurs in the training text."""

from collections.abc import Iterator

from zerosum.show import numbers as n
from zerosum.show import words
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table
from zerosum.tokens.files import Index

TITLE = "Token files"
PLACE = 5
ANSWERED = 10  # domains in the first answer on a terminal


def absent(report: Report) -> str | None:
    return None if report.each(Index) else ""


def headline(report: Report) -> str:
    """Size of both splits."""
    return " ".join(
        f"{label}: {n.count(index.train.tokens)} tokens of {n.counted(index.train.documents, 'document')} to train on, "
        f"{n.count(index.held_out.tokens)} of {n.counted(index.held_out.documents, 'document')} held out."
        for label, index in report.each(Index)
    )


def answer(report: Report) -> Iterator[Table | str]:
    """Overlap, n-gram models, tokenizer, what was left out, and the largest domains."""
    for _, index in report.each(Index):
        yield _overlap(index)
        if index.ngrams:
            yield words.ngram_losses(index.ngrams)
        yield _tokenizer(index)
        if index.empty or index.copies:
            yield (
                f"Left out: {n.counted(index.empty, 'document')} without a token, {n.count(index.copies)} exact "
                f"{'copy' if index.copies == 1 else 'copies'} of other documents."
            )
        if len(index.domains) > 1:
            yield _domains(index, ANSWERED)


def tables(report: Report) -> Iterator[Table]:
    """Every domain."""
    for _, index in report.each(Index):
        yield _domains(index, len(index.domains))


def _overlap(index: Index) -> str:
    shared, share = index.overlap, index.overlap.share
    if not share.known:
        return f"Overlap with the training text: unknown, {share.reason}."
    return (
        f"Overlap: {n.number(100 * share.value, 2)} % of {n.counted(shared.windows, 'held-out window')} of "
        f"{shared.window} tokens occur word for word in the training text (windows side by side in each document, "
        "compared with every position of the training text)."
    )


def _tokenizer(index: Index) -> str:
    used = index.tokenizer
    trained = "" if used.trained_on is None else f", trained here on {n.count(used.trained_on)} bytes of the text"
    return f"Tokenizer: {printable(used.name)}{trained}; {n.count(index.vocabulary)} ids, stored as {index.dtype}."


def _domains(index: Index, most: int) -> Table:
    columns = (
        Column("domain"),
        Column("train_documents", "documents", "train"),
        Column("train_tokens", "tokens", "train"),
        Column("held_out_documents", "documents", "held out"),
        Column("held_out_tokens", "tokens", "held out"),
    )
    rows = [
        (name, train.documents, train.tokens, held_out.documents, held_out.tokens)
        for name, train, held_out in zip(index.domains, index.train.by_domain, index.held_out.by_domain, strict=True)
    ]
    largest = sorted(rows, key=lambda row: -row[2] - row[4])[:most]
    left = len(rows) - len(largest)
    caption = f"The {len(largest)} largest of {n.count(len(rows))} domains" if left else "Domains"
    return Table("domains", caption, columns, tuple(largest))
