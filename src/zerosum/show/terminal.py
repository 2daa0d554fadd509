"""The answer on a terminal: at most a screen, then `--details`. Rich is loaded when something is shown, not before."""

import io
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import Section, Shown, present
from zerosum.show.table import Table, on_terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MORE = "more: --details; everything: --json, --out DIR"
SCREEN = 24  # lines
FOR_DETAILS = {"groups-unavailable"}  # of all groupings that there are, those that these data do not have


def screen() -> "Console":
    """Stdout for people. What the terminal's encoding lacks becomes a question mark, not an error."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return Console(highlight=False, markup=False, emoji=False)


def show(report: Report, details: bool = False) -> None:
    """Print the answer of every section that has something to say; with details, all sentences and tables too.

    Where the answers on one run take more than a screen together, each section but the first says its headline alone.
    """
    console = screen()
    answers = [(section, [section.headline(report), *section.answer(report)]) for section in present(report)]
    if not details and len(report.runs) == 1 and _lines(console, answers) > SCREEN:
        answers[1:] = [(section, answer[:1]) for section, answer in answers[1:]]
    for section, answer in answers:
        _print(console, answer)
        if details:
            _details(console, section, report, answer)
    for gap in (gap for gap in report.missing if details or gap.code not in FOR_DETAILS):
        console.print(f"{gap.what}: {printable(f'{gap.why} {gap.command}'.strip(), 1_000)}", style="dim")
    if not details:
        console.print(MORE, style="dim")


def as_text(report: Report, width: int) -> "Text":
    """The first headline and the answer of every section, for a screen that is drawn again and again."""
    from rich.console import Console
    from rich.text import Text

    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, highlight=False, markup=False, emoji=False)
    for k, section in enumerate(present(report)):
        _print(console, [*([] if k else [section.headline(report)]), *section.answer(report)])
    return Text.from_ansi(out.getvalue().rstrip())


def say(*shown: Shown) -> None:
    """Print sentences and tables that belong to no report."""
    _print(screen(), shown)


def _lines(console: "Console", answers: Iterable[tuple[Section, Sequence[Shown]]]) -> int:
    with console.capture() as printed:
        for _, answer in answers:
            _print(console, answer)
    return printed.get().count("\n")


def _details(console: "Console", section: Section, report: Report, answer: Sequence[Shown]) -> None:
    """What the answer has left out. answer: what stands on the first screen already."""
    sentences = [sentence for sentence in section.sentences(report) if sentence not in answer]
    shown = {(table.name, table.caption) for table in answer if isinstance(table, Table)}
    tables = [table for table in section.tables(report) if (table.name, table.caption) not in shown]
    tables = [table for table in tables if table.shown_on("terminal")[0]]
    if tables or sentences:
        console.print(f"\n{section.title_in(report)}", style="bold")
    _print(console, sentences)
    _print(console, tables)


def wrapped(text: str, width: int) -> str:
    """A sentence in lines of a terminal. An interval, with its space that does not break, stays on one line."""
    return "\n".join(textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False))


def _print(console: "Console", shown: Iterable[Shown]) -> None:
    for text in shown:
        if isinstance(text, str):
            if text:
                console.print(wrapped(printable(text, 2_000), console.width))
        elif text.shown_on("terminal")[0]:  # other tables are for scripts alone
            _print_table(console, text)


def _print_table(console: "Console", table: Table) -> None:
    if table.caption:
        console.print(printable(table.caption), style="bold")
    console.print(on_terminal(table, console.width))
    if table.legend:
        console.print(table.legend, style="dim")
