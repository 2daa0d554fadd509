"""`zerosum explain`: what a reason of a verdict means, how it is measured, and what to do about it."""

from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.deceleration.reason_page import Page
    from zerosum.show.table import Table

Codes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CODE]...", help="Reasons as `zerosum fit` gives them; none: a list.", show_default=False),
]

GROUP = "read"


def explain(codes: Codes = None, as_json: AsJson = False) -> None:
    """Explain the reasons that come with a verdict: what each means, how it is measured, and the remedy."""
    from zerosum.deceleration.reason_pages import PAGES

    wanted = codes or [page.code for page in PAGES]
    done, failed = each([(code, code) for code in wanted], _page)
    pages = [page for _, page in done]
    if as_json:
        print_json("reasons", [page.to_json() for page in pages], failed)
    else:
        from zerosum.show import terminal

        terminal.say(*(map(_in_full, pages) if codes else [_listed(pages)]))
    finish(failed, len(wanted))


def _page(code: str) -> "Page":
    from zerosum.deceleration.reason_pages import PAGES

    known = {str(page.code): page for page in PAGES}
    asked = code.strip().lower().replace("_", "-").replace(" ", "-")
    if asked in known:
        return known[asked]
    near = [code for code in known if _alike(asked.split("-"), code.split("-"))]
    remedy = f"Did you mean {' or '.join(near)}?" if near else "See `zerosum explain` for all of them."
    raise InputError(f"{code!r}: not a reason. {remedy}")


def _alike(asked: list[str], words: list[str]) -> bool:
    """Whether both have a word in common that is spelled alike."""
    from difflib import get_close_matches

    return any(get_close_matches(word, [*words, "".join(words)], cutoff=0.75) for word in asked if len(word) > 2)


def _in_full(page: "Page") -> "Table":
    from zerosum.show.table import Column, Table

    rows = [("means", page.means), ("measured", page.measured), ("remedy", page.remedy)]
    rows += [(str(level), f"“{message}”") for level, message in page.examples.items()]
    return Table("", page.code, (Column("what", " "), Column("text", " ")), tuple(rows))


def _listed(pages: "list[Page]") -> "Table":
    from zerosum.show.table import Column, Table, Text

    columns = (Column("reason"), Column("level"), Column("means", "what it means"))
    legend = "blocking: the numbers must not be used. note: they may be, with this in mind. More: zerosum explain CODE"
    rows = tuple((page.code, Text(*page.examples), page.means) for page in pages)
    return Table("", "", columns, rows, legend)
