"""Section: losses of n-gram models of the text that each run was trained on."""

from collections.abc import Iterator

from zerosum.show import words
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table
from zerosum.tokens.ngrams import NgramLadder

TITLE = "What n-gram models of the text reach"
PLACE = 12
FORMULAS = {
    "N-gram models": "Interpolated Witten-Bell: <code>p_n(w | h) = (c(h w) + T(h) p_{n-1}(w | h')) / (c(h) + T(h))"
    "</code>; c counts in the training text, T(h) is the number of distinct tokens after h, h' is h without its first "
    "token, and p_0 is the same for all tokens. Their losses are means over held-out tokens.",
}


def absent(report: Report) -> str | None:
    return None if report.each(NgramLadder) else ""


def sentences(report: Report) -> Iterator[str]:
    """Once for all runs on the same text."""
    for label, ladder in _texts(report):
        yield words.ngram_losses(ladder) if len(_texts(report)) == 1 else f"{label}: {words.ngram_losses(ladder)}"


def tables(report: Report) -> Iterator[Table]:
    """One row for each model."""
    columns = (
        Column("run"),
        Column("model"),
        Column("loss", unit="nats per token"),
        Column("N", "held-out tokens"),
        Column("counted_tokens", "tokens counted"),
        Column("train_tokens", "training tokens"),
    )
    rows = tuple(
        (label, rung.model, rung.loss.value, ladder.scored_tokens, ladder.counted_tokens, ladder.train_tokens)
        for label, ladder in _texts(report)
        for rung in ladder.rungs
    )
    legend = "Exact for these held-out tokens, so without intervals; other texts would give other losses."
    yield Table("ngrams", "Losses of n-gram models", columns, rows, legend)


def _texts(report: Report) -> list[tuple[str, NgramLadder]]:
    """Each ladder with the runs that have it."""
    runs: list[tuple[list[str], NgramLadder]] = []
    for label, ladder in report.each(NgramLadder):
        same = next((labels for labels, other in runs if other.is_of_the_same_text(ladder)), None)
        if same is None:
            runs.append(([label], ladder))
        else:
            same.append(label)
    return [(", ".join(map(printable, labels)), ladder) for labels, ladder in runs]
