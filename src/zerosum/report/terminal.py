"""The same summary for the terminal."""

from rich.table import Table
from rich.text import Text

from zerosum.report import tables
from zerosum.report.names import printable
from zerosum.report.summary import SuiteSummary
from zerosum.report.tables import Cell

_SHOWN = (
    ("Run", "left"),
    ("Parameters", "right"),
    ("Verdict", "left"),
    ("t_d", "right"),
    ("L_d", "right"),
    ("r_d", "right"),
    ("Held-out loss", "right"),
    ("D, first doubling", "right"),
    ("D, last doubling", "right"),
)
_SHORT = {"Parameters": "params", "Held-out loss": "loss", "D, first doubling": "D first", "D, last doubling": "D last"}


def terminal_table(summary: SuiteSummary) -> Table:
    """One row for each run, intervals below the numbers; fits 100 columns and wraps at 80."""
    whole = tables.sizes(summary)
    place = {heading: k for k, (heading, _) in enumerate(whole.columns)}
    shown = Table(
        title=Text(printable(summary.title)), caption=_caption(summary), caption_justify="left", padding=(0, 1, 0, 0)
    )
    for heading, justify in _SHOWN:
        unit = {"t_d": "steps", "L_d": "nats", "Held-out loss": "nats"}.get(heading)
        head = _SHORT.get(heading, heading.lower() if heading in ("Run", "Verdict") else heading)
        shown.add_column(Text(f"{head}\n{unit}" if unit else head), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in whole.rows:
        shown.add_row(*[_cell(row[place[heading]], named=heading == "Run") for heading, _ in _SHOWN])
    return shown


def _cell(cell: Cell, named: bool) -> Text:
    text = Text(printable(cell.main, 24) if named else cell.main)
    if cell.below:
        text.append("\n" + cell.below.replace(", ", " "), style="dim")
    return text


def _caption(summary: SuiteSummary) -> Text:
    n = sorted({pair.interference.N for run in summary.runs for pair in run.double})
    tokens = " and ".join(f"{one:,}" for one in n)
    lines = ["[brackets]: 95 % intervals. loss: held-out, last checkpoint."]
    if n:
        lines.append(
            f"D: share of the movement between checkpoints t and 2t that cancels, N = {tokens} held-out tokens;"
        )
        lines.append("first and last doubling. D of different N cannot be compared.")
    return Text("\n".join(lines))
