"""Dissent by how often the label occurs: of the tokens, and of the head's rows."""

from collections.abc import Iterator, Mapping
from typing import Any

from zerosum.dissent import Dissent, FrequencyClass, Spread
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.sections import _dissent as shared
from zerosum.show.sections._single_run import spread_evenly
from zerosum.show.table import SCREEN, Column, Table, Text, Value

TITLE = "Dissent by frequency of the label"
PLACE = 64
HOW_TO_READ = (
    "From left to right, tokens whose label occurs ever more often among those measured; below each class, how many "
    "tokens it has. Left: mean dissent of these tokens at their last hidden states, with its 95 % interval over texts "
    "(documents or sequences) where it has one. Right: mean dissent of their labels' rows of the head; lines reach "
    "from the first to the third quartile of the rows. At most four checkpoints are drawn; the tables have all."
)
MOST = 4  # checkpoints
SHIFT = 0.07  # of a class, between checkpoints


def absent(report: Report) -> str | None:
    """Where no token has a dissent."""
    if (why := shared.none(report)) is not None:
        return why
    known = any(labels.token["dissent"].N for labels in shared.measured(report).last.frequency)
    return None if known else "dissent is not known for any token"


def tables(report: Report) -> Iterator[Table]:
    """Every class at every checkpoint for scripts, those of the last checkpoint for people."""
    over = shared.measured(report)
    yield Table("frequency", "Every class of label frequency").with_csv(list(shared.frequency_rows(over)))
    columns = (
        Column("times", "times", "labels", on=SCREEN),
        Column("tokens", on=SCREEN),
        Column("loss", "loss", "mean, nats", n.LOSS, on=SCREEN),
        Column("dissent", "dissent", "tokens", shared.FORM, on=SCREEN),
        Column("ratio", "ratio", "tokens", shared.FORM, on=("page",)),
        Column("rows", "dissent", "head rows", shared.FORM, on=SCREEN),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            *(Text(labels.name, n.counted(labels.n_labels, "label")), labels.token["loss"].N),
            labels.token["loss"].estimate,
            *(shared.cell(labels.token[name].estimate) for name in ("dissent", "magnitude_ratio")),
            shared.cell(labels.rows["dissent"].estimate) if labels.rows else Text("—"),
        )
        for labels in over.last.frequency
    )
    yield Table("", "By how often the label occurs", columns, rows)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Tokens in one panel, rows of the head in the other."""
    over = shared.measured(report)
    drawn = spread_evenly(over.checkpoints, MOST)
    with d.style():
        with_rows = any(labels.rows for labels in over.last.frequency)
        fig, axes = d.panels(1 + with_rows, layout, height=3.4, columns=2)
        looks = d.run_styles([_label(checkpoint) for checkpoint in drawn])
        for k, (checkpoint, look) in enumerate(zip(drawn, looks, strict=True)):
            shift = SHIFT * (k - (len(drawn) - 1) / 2)
            for ax, of_rows in zip(axes, (False, True), strict=False):
                _series(ax, checkpoint, of_rows, look, shift)
        for ax, title in zip(axes, ("Tokens: mean, 95 % interval", "Rows of the head: mean, quartiles"), strict=False):
            _axis(ax, over.last, layout)
            ax.set_title(title)
        d.legend_below(fig, d.run_handles(looks), layout)
    return fig


def _label(checkpoint: Dissent) -> str:
    return "this model" if checkpoint.step is None else f"step {n.count(checkpoint.step)}"


def _series(ax: "d.Axes", checkpoint: Dissent, of_rows: bool, look: "d.RunStyle", shift: float) -> None:
    spreads = [_spreads(labels, of_rows)["dissent"] for labels in checkpoint.frequency if _spreads(labels, of_rows)]
    places = [k + shift for k in range(len(spreads))]
    for place, spread in zip(places, spreads, strict=True):
        if ends := _quartiles(spread) if of_rows else spread.interval:
            ax.vlines(place, *ends, color=look.colour, linewidth=1.2, zorder=2)
    means = [spread.mean for spread in spreads]
    ax.plot(places, means, color=look.colour, marker=look.marker, linestyle=look.line, zorder=3)


def _spreads(labels: FrequencyClass, of_rows: bool) -> Mapping[str, Spread]:
    return labels.rows if of_rows else labels.token


def _quartiles(spread: Spread) -> tuple[float, float] | None:
    return (spread.quantiles[25], spread.quantiles[75]) if spread.quantiles else None


def _axis(ax: "d.Axes", last: Dissent, layout: "d.Layout") -> None:
    names = [f"{short(labels.low)}+\n{short(labels.token['loss'].N)}" for labels in last.frequency]
    ax.set_xticks(range(len(names)), names, fontsize=8.5 if layout == "wide" else 7)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_xlabel("occurrences of the label (below: tokens)")
    ax.set_ylabel("dissent, −cos")


def short(number: int) -> str:
    """A count as it fits below a tick.

    >>> short(950), short(1024), short(32907), short(4_200_000)
    ('950', '1k', '33k', '4.2M')
    """
    if number < 1_000:
        return str(number)
    size, letter = (number / 1e6, "M") if number >= 999_500 else (number / 1e3, "k")
    return f"{size:.2g}{letter}" if size < 99.5 else f"{size:.0f}{letter}"


def alt(report: Report) -> str:
    """Alt text."""
    last = shared.measured(report).last
    means = [f"{labels.name} times: {n.number(labels.token['dissent'].mean, 2)}" for labels in last.frequency]
    return f"Mean dissent of tokens by how often their label occurs, {_label(last)}. {'; '.join(means)}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each class of each checkpoint, also of those that are not drawn."""
    return list(shared.frequency_rows(shared.measured(report)))
