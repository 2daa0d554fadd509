"""What `zerosum fit` shows beside the one break: other laws on the same points, forecasts, and their back-test."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from zerosum.cli.terminal import labelled
from zerosum.show.numbers import Form, count, decimals, number

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from zerosum.deceleration import Analysis, BacktestRow, Fit, Forecast

ERROR = Form("rsle", "", digits=2)
METHODS = {
    "one-break": "one break",
    "power-law": "power law",
    "floor-last-decade": "floor,\nlast decade",
    "stays": "stays\nas it is",
}
LEGEND = (
    "laws: RSLE is the root mean squared difference of log losses on the fitted points; left-out error the same on "
    "each of 8 stretches when the law is fitted to the others; *: smallest. forecasts: if the run goes on as in the "
    "fitted steps, with intervals as above; floor: a power law with floor, fitted to the last decade of steps; stays: "
    "the last loss, a bound without interval. back-test: the last fitted loss, forecast from the first part of the "
    "steps: too high (+) or too low (−) by so much, and whether the interval held it."
)


def laws(one: "Fit") -> "Table":
    """Every law by its error on stretches that were left out of its fit, the best first."""
    from rich.table import Table
    from rich.text import Text

    known = [law for law in one.models if isfinite(law.criterion)]
    grid = labelled()
    if not known:
        grid.add_row("laws", Text("not compared: too few points for this many parameters"))
        return grid
    places = max(decimals(law.rsle, form=ERROR) for law in known)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    for _ in range(3):
        table.add_column(justify="right")
    table.add_row("law", *(Text(heading, style="dim") for heading in ("parameters", "RSLE", "left-out error")))
    for place, law in enumerate(sorted(known, key=lambda law: law.criterion)):
        name = Text(law.name + ("*" if place == 0 else ""), style="bold" if law.name == "one break" else "")
        table.add_row(name, str(law.n_params), *(Text(number(value, places)) for value in (law.rsle, law.criterion)))
    grid.add_row("laws", table)
    return grid


def outlook(one: "Analysis", wide: bool) -> "Group":
    """The forecasts, right below them what the same methods would have said earlier in the run, and what to know."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=10)
    table.add_column(overflow="fold")
    shown = list(dict.fromkeys(ahead.method for ahead in one.forecasts))
    for _ in shown:
        table.add_column(justify="right")
    heads = [METHODS[method].replace("\n", " " if wide else "\n") for method in shown]
    table.add_row("forecasts", *(Text(head, style="dim") for head in ("loss, nats/token", *heads)))
    for T in dict.fromkeys(ahead.T for ahead in one.forecasts):
        cells = [_forecast(ahead, wide) for ahead in one.forecasts if ahead.T == T]
        table.add_row("", Text(f"at step {count(T)}"), *cells)
    label = "back-test"
    for fraction in dict.fromkeys(row.fraction for row in one.backtest):
        rows = [row for row in one.backtest if row.fraction == fraction]
        cells = [_turned_out(row, other=row.forecast.method not in shown) for row in rows]
        table.add_row(label, Text(f"from first {100 * fraction:g} %"), *cells)
        label = ""
    return Group(table, labelled([*_not_given(one), *_optimism(one.backtest)]))


def _forecast(ahead: "Forecast", wide: bool) -> "Text":
    from rich.text import Text

    if not isfinite(ahead.loss):
        return Text("—")
    places = decimals(ahead.loss, ahead.interval)
    text = Text(number(ahead.loss, places))
    if ahead.interval:
        low, high = (number(end, places) for end in ahead.interval)
        text.append(f"{' ' if wide else chr(10)}[{low}, {high}]", style="dim")
    return text


def _turned_out(row: "BacktestRow", *, other: bool) -> "Text":
    """other: the part was forecast by another method than the whole."""
    from rich.text import Text

    if not isfinite(row.error):
        return Text("—")
    held = {None: "", True: " held", False: " missed"}[row.held]
    by = f" ({METHODS[row.forecast.method]})" if other else ""
    return Text(f"{100 * row.error:+.1f} %{held}{by}".replace("-", "−"))


def _not_given(one: "Analysis") -> "Iterator[tuple[str, str]]":
    """Why there is a dash in the place of a number."""
    said = {reason.message for reason in one.fit.reasons}
    missing = [(f"at step {count(ahead.T)}", ahead) for ahead in one.forecasts]
    missing += [(f"from first {100 * row.fraction:g} %", row.forecast) for row in one.backtest]
    causes: dict[str, list[str]] = {}
    for where, ahead in missing:
        if not isfinite(ahead.loss):
            name = METHODS[ahead.method].replace("\n", " ")
            why = "see the reason above" if ahead.reason in said else ahead.reason
            causes.setdefault(why, []).append(f"{name} {where}")
    for why, places in causes.items():
        yield "not given", f"{'; '.join(places)}: {why}"


def _optimism(rows: "Sequence[BacktestRow]") -> "Iterator[tuple[str, str]]":
    errors = [row.error for row in rows if row.forecast.method == "one-break" and isfinite(row.error)]
    low = [error for error in errors if error < 0]
    if low:
        yield (
            "optimistic",
            f"an extrapolated one-break law: in {len(low)} of {len(errors)} back-tests it forecast too low a loss, "
            f"by up to {-100 * min(low):.1f} %. Expect more than it says",
        )
