"""`zerosum explain`: what a reason of a verdict means, how it is measured, and what to do about it."""

from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.cli.terminal import labelled, screen
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.deceleration.reason_pages import Page

Codes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CODE]...", help="Reasons as `zerosum fit` gives them; none: a list.", show_default=False),
]


def explain(codes: Codes = None, as_json: AsJson = False) -> None:
    """Explain the reasons that come with a verdict: what each means, how it is measured, and the remedy."""
    from zerosum.deceleration.reason_pages import PAGES

    wanted = codes or [page.code for page in PAGES]
    found, failed = each([(code, code) for code in wanted], _page)
    pages = [page for _, page in found]
    if as_json:
        print_json("reasons", [page.to_json() for page in pages], failed)
    elif codes:
        for page in pages:
            _show(page)
    else:
        _list(pages)
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
    """Whether a word that says something is written alike in both."""
    from difflib import get_close_matches

    return any(get_close_matches(word, [*words, "".join(words)], cutoff=0.75) for word in asked if len(word) > 2)


def _show(page: "Page") -> None:
    from rich.text import Text

    console = screen()
    console.print(Text(f"\n{page.code}", style="bold"))
    grid = labelled()
    rows = [("means", page.means), ("measured", page.measured), ("remedy", page.remedy)]
    for label, text in [*rows, *((str(level), f"“{message}”") for level, message in page.examples.items())]:
        grid.add_row(label, Text(text))
    console.print(grid)


def _list(pages: "list[Page]") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("reason", no_wrap=True)
    table.add_column("level")
    table.add_column("what it means")
    for page in pages:
        table.add_row(page.code, Text("\n".join(page.examples)), Text(page.means))
    console = screen()
    console.print(table)
    console.print(
        Text(
            "blocking: the numbers must not be used. note: they may, with this in mind. More: zerosum explain CODE",
            style="dim",
        )
    )
