"""The same summary for the terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from zerosum.show.names import printable
from zerosum.show.numbers import count
from zerosum.show.suite import tables
from zerosum.show.suite.summary import SuiteSummary
from zerosum.show.tables import Cell

_SHOWN = {
    "Run": "run\nparameters",
    "t_d": "t_d\nsteps",
    "L_d": "L_d\nnats",
    "r_d": "r_d",
    "Held-out loss": "loss\nnats",
    "D, first doubling": "D\nfirst",
    "D, last doubling": "D\nlast",
    "Verdict": "verdict",
}
"""Column of the page -> its heading here."""


def terminal_table(summary: SuiteSummary) -> Table:
    """One row for each run, intervals below the numbers; fits 80 columns, where a long name is folded."""
    whole = tables.sizes(summary)
    place = {heading: k for k, (heading, _) in enumerate(whole.columns)}
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=_caption(summary), caption_justify="left")
    shown.title = Text(printable(summary.title))
    for heading, head in _SHOWN.items():
        words = heading in ("Run", "Verdict")
        shown.add_column(Text(head), justify="left" if words else "right", overflow="fold", no_wrap=heading != "Run")
    for row in whole.rows:
        cells = {heading: row[place[heading]] for heading in (*_SHOWN, "Parameters")}
        run = Text(printable(cells["Run"].main, 24))
        run.append("\n" + cells["Parameters"].main, style="dim")
        shown.add_row(run, *[_cell(cells[heading]) for heading in _SHOWN if heading != "Run"])
    return shown


def _cell(cell: Cell) -> Text:
    text = Text(cell.main)
    if cell.below:
        text.append("\n" + cell.below.replace(",\xa0", ",\n"), style="dim")
    return text


def _caption(summary: SuiteSummary) -> Text:
    n = sorted({pair.interference.N for run in summary.runs for pair in run.double})
    lines = ["[brackets]: 95 % intervals. loss: held-out, at the last checkpoint."]
    if n:
        lines.append(f"D: share of all movement of N = {' or '.join(map(count, n))} token losses that cancels,")
        lines.append("over the first and the last doubling. D of different N cannot be compared.")
    return Text("\n".join(lines))
