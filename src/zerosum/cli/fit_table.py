"""`zerosum fit` on a terminal: one table over all curves, and for each where it came from and every reason in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from zerosum.cli.fit_outlook import LEGEND, laws, outlook
from zerosum.cli.terminal import WIDE, columns_in_words, estimate, labelled, overview, screen
from zerosum.show.names import printable
from zerosum.show.numbers import count, decimals, number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from zerosum.deceleration import Analysis, Fit

HEADINGS = ("curve", "verdict", "t_d\nsteps", "L_d\nnats/token", "r_d\nlog-log", "fitted\nsteps", "rows\npoints")
BELIEVED = ("decelerates", "accelerates")
STYLES = {"decelerates": "green", "accelerates": "green", "cannot-tell": "yellow"}
EXPLAIN = "what a reason means and what to do: zerosum explain CODE"


def show(analyses: "Sequence[Analysis]") -> None:
    """Print it all; what the columns mean stands below them."""
    from rich.padding import Padding
    from rich.text import Text

    console = screen()
    wide = console.width >= WIDE
    fits = [one.fit for one in analyses]
    console.print(overview(HEADINGS, [_row(one, wide) for one in fits], console.width))
    console.print(Text(_legend(fits[0]), style="dim"))
    for one in analyses:
        console.print(Text("\n" + printable(one.fit.curve.name), style="bold"))
        for part in (_details(one.fit), laws(one.fit), outlook(one, wide)):
            console.print(Padding(part, (0, 0, 0, 2), expand=False))
    console.print(Text("\n" + LEGEND, style="dim"))
    if any(one.reasons for one in fits):
        console.print(Text(EXPLAIN, style="dim"))


def _row(one: "Fit", wide: bool) -> "list[Text]":
    """One row of the table over all curves."""
    from rich.text import Text

    verdict = Text(one.verdict, style=STYLES.get(one.verdict, ""))
    steps = f"{count(one.first_step)} to{' ' if wide else chr(10)}{count(one.last_step)}"
    rows = Text(count(one.n_points)).append(f"\n{count(one.n_bins)}", style="dim")
    return [Text(printable(one.curve.name, 100)), verdict, *_numbers(one, wide), Text(steps), rows]


def _numbers(one: "Fit", wide: bool) -> "Iterator[Text]":
    """The three numbers, or dashes where the verdict forbids to use them; --json has them all."""
    from rich.text import Text

    for name in ("t_d", "L_d", "r_d"):
        if one.verdict in BELIEVED:
            yield estimate(getattr(one, name), one.intervals.get(name), wide)
        else:
            yield Text("—")


def _legend(one: "Fit") -> str:
    return (
        f"[brackets]: {100 * one.interval_level:g} % intervals ({one.interval_method}). rows: of the log, in the "
        f"fitted steps; points: what the least squares of procedure {one.procedure} saw. r_d: slope of log loss over "
        "log step after the break, larger is better. cut-offs: the numbers when steps up to each are dropped; *: used."
    )


def _details(one: "Fit") -> "Table":
    """Where the curve came from, every reason in words, what was cleaned, and how the numbers move."""
    curve = one.curve
    read_as = ": ".join(text for text in (curve.format, columns_in_words(curve.columns)) if text)
    rows = [("source", curve.source), ("read as", read_as)]
    rows += [(reason.level, f"{reason.code}: {reason.message}") for reason in one.reasons]
    rows += [("no interval", text) for text in _missing_intervals(one)]
    rows += [("cleaned", sentence) for sentence in curve.cleaning]
    grid = labelled(rows, {"blocking": "yellow"})
    if one.cutoffs and (one.verdict in BELIEVED or "unstable-cutoff" in {reason.code for reason in one.reasons}):
        grid.add_row("cut-offs", _cutoffs(one))
    return grid


def _missing_intervals(one: "Fit") -> list[str]:
    if one.verdict not in BELIEVED:
        return []
    names: dict[str, list[str]] = {}
    for name, why in one.interval_reasons.items():
        names.setdefault(why, []).append(name)
    return [f"{', '.join(which)}: {why}" for why, which in names.items()]


def _cutoffs(one: "Fit") -> "Table":
    """The numbers of the fit, without intervals, when steps up to each cut-off are dropped."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    for row in one.cutoffs:
        table.add_column(justify="right", style="bold" if row.cutoff == one.cutoff else "")
    used = [f"{count(row.cutoff)}{'*' if row.cutoff == one.cutoff else ''}" for row in one.cutoffs]
    table.add_row("steps up to", *map(Text, used))
    for name in ("t_d", "L_d", "r_d"):
        values = [getattr(row, name) for row in one.cutoffs]
        table.add_row(name, *[Text(number(value, decimals(value))) for value in values])
    return table
