"""What the sections on dissent share: the record they show, names of places, numbers in words, rows for CSV."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zerosum.dissent import (
    NUMBERS,
    PLACES,
    VECTORS,
    Dissent,
    DissentOverTraining,
    PartForces,
    Place,
    Spread,
)
from zerosum.estimate import Estimate
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Medium, Table

CSV: tuple[Medium, ...] = ("csv",)
FORM = n.Form("dissent", digits=4, most=4)  # near 1, the distance to it counts
PAGES: tuple[Medium, ...] = ("terminal", "page")
NAMES: dict[Place, str] = {
    "token": "tokens, mean",
    "rows": "head rows, mean",
    "head": "head, one vector",
    "body": "body, one vector",
}
OF_PARTS = ("numel", *NUMBERS, "norm_attraction", "norm_repulsion")
Row = dict[str, Any]


def measured(report: Report) -> DissentOverTraining:
    """The record that is shown."""
    over = report.only(DissentOverTraining)
    assert over is not None  # noqa: S101 - `absent` said so
    return over


def none(report: Report) -> str | None:
    """Why there is nothing to show, for every section on dissent: no run, or several, have it."""
    runs = len(report.each(DissentOverTraining))
    if runs > 1:
        return f"{runs} runs have it, and a page shows that of one run. Make a page of each run."
    return None if runs else ""


def cell(estimate: Estimate) -> Estimate:
    """A number of dissent in a table. Why it has no interval is said once, below the tables."""
    return replace(estimate, reason="") if estimate.known and not estimate.interval else estimate


def in_line(estimate: Estimate) -> str:
    """A number of dissent and its interval in a sentence."""
    return n.text(estimate.value, estimate.interval, FORM)


def loss(checkpoint: Dissent) -> str:
    """Mean loss with its interval, in a sentence."""
    estimate = checkpoint.loss.estimate
    return n.text(estimate.value, estimate.interval, n.LOSS)


def spread_over(over: DissentOverTraining, most: int) -> list[Dissent]:
    """At most so many checkpoints: the last one, and others spread evenly before it."""
    last = len(over.checkpoints) - 1
    return [over.checkpoints[k] for k in sorted({round(k * last / (most - 1)) for k in range(most)})]


def csv_table(name: str, caption: str, rows: Sequence[Row]) -> Table:
    """A table for scripts alone, with the columns of all rows."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    columns = tuple(Column(key, on=CSV) for key in keys)
    return Table(name, caption, columns, tuple(tuple(row.get(key) for key in keys) for row in rows))


def checkpoint_rows(over: DissentOverTraining) -> Iterator[Row]:
    """One row for each checkpoint."""
    for one in over.checkpoints:
        row: Row = {"step": one.step, "tokens_seen": one.tokens_seen, "N": one.N, "n_sequences": one.n_sequences}
        row |= {"units": one.units, "n_units": one.n_units, **_spread("loss", one.loss)}
        row |= _spreads("token", one.token)
        for place in VECTORS:
            row |= {f"{place}_{name}": one.estimate(place, name).value for name in NUMBERS}
        row |= _spreads("rows", one.rows)
        yield row | ({} if one.head is None else {"n_unlabelled": one.n_unlabelled})


def frequency_rows(over: DissentOverTraining) -> Iterator[Row]:
    """One row for each checkpoint and class of label frequency."""
    for one in over.checkpoints:
        for labels in one.frequency:
            row: Row = {"step": one.step, "label_count": labels.name, "n_labels": labels.n_labels}
            yield row | _spreads("token", labels.token) | _spreads("rows", labels.rows)


def part_rows(checkpoint: Dissent, parts: Iterable[PartForces]) -> Iterator[Row]:
    """One row for each parameter or layer of a checkpoint."""
    for part in parts:
        numbers = part.to_json()
        row: Row = {"step": checkpoint.step, "name": printable(part.name), "kind": part.kind}
        yield row | {name: numbers[name] for name in OF_PARTS}


def place_rows(over: DissentOverTraining) -> Iterator[Row]:
    """One row for each checkpoint: N, loss, and the dissent of each place with its interval."""
    for one in over.checkpoints:
        row: Row = {"step": one.step, "N": one.N, **_ends("loss", one.loss.estimate)}
        for place in PLACES:
            row |= _ends(place, one.estimate(place))
        yield row


def _ends(name: str, estimate: Estimate) -> Row:
    low, high = estimate.interval or (None, None)
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}


def _spreads(place: str, spreads: Mapping[str, Spread]) -> Row:
    return {key: value for name, one in spreads.items() for key, value in _spread(f"{place}_{name}", one).items()}


def _spread(name: str, spread: Spread) -> Row:
    row = _ends(name, spread.estimate)
    row |= {f"{name}_{percent}%": value for percent, value in spread.quantiles.items()}
    return row | {f"{name}_N": spread.N, f"{name}_left_out": spread.left_out}
