"""`zerosum interference` on a terminal: which tokens keep paying, and who gained and lost most."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zerosum.cli.terminal import estimate, plain_table
from zerosum.show.interference_words import keep_paying
from zerosum.show.names import printable
from zerosum.show.numbers import count, decimals, number

if TYPE_CHECKING:
    from rich.table import Table

    from zerosum.interference.labelled import Moved, Persistence, StoreInterference

CONTEXT = 28  # characters before a token

EXPLAINED = (
    "share of tokens, weighted by how far they moved in both pairs, whose losses moved the same way; by chance: "
    "were the signs of the two independent. An excess above 0: the same tokens keep gaining or keep paying; below 0: "
    "they take turns. Pairs that share a checkpoint lean to taking turns by themselves, because what is chance in that "
    "checkpoint enters both with opposite signs."
)


def persistence_table(rows: "Sequence[Persistence]") -> "Table":
    """Agreement of signs between pairs, beside what independent signs would give."""
    from rich.text import Text

    table = plain_table("steps, and then", "agree\n%", "by chance\n%", "excess\n%", "shared\ncheckpoint", "N")
    for row in rows:
        found = row.found
        ends = found.intervals.get("excess")
        table.add_row(
            Text(f"{count(row.first[0])} to {count(row.first[1])}\n{count(row.second[0])} to {count(row.second[1])}"),
            Text(number(100 * found.agreement, 1)),
            Text(number(100 * found.expected, 1)),
            estimate(100 * found.excess, (100 * ends[0], 100 * ends[1]) if ends else None, True),
            Text("yes" if row.shares_checkpoint else "no"),
            Text(count(found.N)),
        )
    return table


def about_persistence(one: "StoreInterference") -> Iterator[tuple[str, str]]:
    """How to read the table, and how many tokens keep paying."""
    yield "agree", EXPLAINED
    if reasons := {row.found.interval_reason for row in one.persistence if row.found.interval_reason}:
        yield "no interval", "; ".join(sorted(reasons))
    if one.worse_often:
        yield "keep paying", keep_paying(one.worse_often)


def moved_table(rows: "Sequence[Moved]") -> "Table":
    """Single predictions, token ids and documents, with their text: the sum favours what is frequent."""
    from rich.text import Text

    table = plain_table("", "sum\nnats", "N", "mean\nnats", "text")
    table.columns[4].justify, table.columns[4].no_wrap = "left", False
    said = ""
    for row in rows:
        kind = "" if row.kind == said else row.kind
        sign = "+" if row.net > 0 else ""
        total, mean = f"{sign}{number(row.net, 2)}", f"{sign}{number(row.mean, decimals(row.mean, None))}"
        table.add_row(Text(kind), Text(total), Text(count(row.N)), Text(mean), Text(_shown(row)))
        said = row.kind
    return table


def _shown(row: "Moved") -> str:
    """Text of the data on one line: what is invisible in it is spelled out, the token itself stands in > <."""
    if row.kind == "document":
        return printable(row.text, 60)
    own = f">{_visible(row.text)}<"
    if row.kind == "token":
        return f"{own} (id {row.token})"
    return f"{_visible(row.context)[-CONTEXT:]}{own}  (sequence {row.sequence}, position {row.position})"


def _visible(words: str) -> str:
    return printable(words.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t"))
