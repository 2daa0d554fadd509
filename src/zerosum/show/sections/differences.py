"""How a difference in reached loss is made up: terms in nats, each from 0 with its interval, and their sum."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from zerosum.deceleration import Comparison, Term
from zerosum.estimate import Estimate
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import short_distinct_names
from zerosum.show.report import Report
from zerosum.show.sections import _difference_words as words
from zerosum.show.table import PEOPLE, Column, Medium, Table, Text, Value

TITLE = "Where the difference comes from"
PLACE = 20
HOW_TO_READ = (
    "The loss at the end of the second log minus that at the end of the first, in nats per token: the bars above the "
    "line add up to the one below it. Every bar begins at 0; those to the left make the second run better. L_d: "
    "the loss at which the runs break; t_d: when; r_d: how fast they improve after it; T: for how long; the rest is "
    "what the two lines leave over. Thin lines are intervals of the terms: where one crosses 0 the term may be 0. "
    "The total is one run against one run and has no interval. Terms describe the two curves, they are "
    "not causes: where a large L_d term and a large r_d term cancel, the break itself is placed with little certainty."
)
FORMULAS = {
    "Terms of a difference": "With <code>log L_hat = log L_d − r_d y</code>, <code>y = log(T/t_d)</code>, each change "
    "counts times the mean of the other factor, turned into nats by the logarithmic mean of the two losses; the terms "
    "add up exactly. They describe two curves and name no causes.",
}
TERMS = {
    "L_d": "loss at the break, L_d",
    "t_d": "when it breaks, t_d",
    "r_d": "rate after the break, r_d",
    "T": "how long it was trained, T",
    "reached_minus_fit": "what the two lines leave over",
}
SYMBOLS = {"L_d": "$L_d$", "t_d": "$t_d$", "r_d": "$r_d$", "T": "$T$", "reached_minus_fit": "reached $-$ fit"}
SHORT = {"reached_minus_fit": "reached − fit"}
IN_WORDS = 4  # pairs
MOST = 9  # panels; tables have all pairs
SMALL = 0.1  # of what the terms move: of a smaller total they are no shares to speak of
LATEX: tuple[Medium, ...] = ("latex",)

batches_note = words.batches_note


def absent(report: Report) -> str | None:
    return None if report.across(Comparison) else ""


def headline(report: Report) -> str:
    pairs = report.across(Comparison)
    return words.reached(pairs[0]) if len(pairs) == 1 else ""


def sentences(report: Report) -> Iterator[str]:
    """The first pairs in words; the tables have all."""
    for pair in report.across(Comparison)[:IN_WORDS]:
        yield f"{words.reached(pair)} {words.parts(pair)}"
        yield from _batches(pair)


def answer(report: Report) -> Iterator[Table | str]:
    for pair in report.across(Comparison):
        if pair.terms:
            yield terms(pair)
            yield words.parts(pair)
        else:
            yield f"{words.reached(pair)} {words.parts(pair)}"
        yield from _batches(pair)


def tables(report: Report) -> Iterator[Table]:
    pairs = report.across(Comparison)
    yield from (terms(pair) for pair in pairs if pair.terms)
    yield comparison(pairs)
    yield comparison_in_latex(pairs)


def terms(pair: Comparison) -> Table:
    """The terms of one pair, the largest first, and their sum."""
    columns = (
        Column("part", "part of the difference"),
        Column("nats", interval=True, on=("csv", "json")),
        Column("nats", "part", "nats/token", on=PEOPLE),
        Column("interval", unit=f"{100 * pair.level:g} %", on=PEOPLE),
        Column("share", unit="of the total", on=PEOPLE),
    )
    rows = [_term(term, pair) for term in sorted(pair.terms, key=lambda term: -abs(term.nats))]
    total = pair.total_estimate
    rows.append(("the whole difference", total, words.signed(pair.total), Text("—", note=total.reason), ""))
    legend = f"Below 0: it makes the loss of the second run lower. Losses are read at {words.read_at(pair)}."
    return Table("", f"{pair.b} minus {pair.a}", columns, tuple(rows), legend)


def _term(term: Term, pair: Comparison) -> tuple[Value, ...]:
    if term.exactly_zero:
        interval = Text("exactly", note="both logs end at the same step")
    elif term.interval:
        interval = Text(f"[{', '.join(map(words.signed, term.interval))}]")
    else:
        interval = Text("—", note=f"no interval: {term.reason}")
    return TERMS[term.name], term.estimate, words.signed(term.nats), interval, _share(term.nats, pair)


def _share(nats: float, pair: Comparison) -> str:
    moved = sum(abs(term.nats) for term in pair.terms)
    return "—" if abs(pair.total) <= SMALL * moved else f"{round(100 * nats / pair.total)} %".replace("-", "−")


def comparison(pairs: Sequence[Comparison]) -> Table:
    """One row for each term of each pair, nats, with its interval; the last row of a pair is the total."""
    names = ("a", "b", "axis", "term", "nats", "low", "high", "level", "reason", "differ_from", "differ_reason")
    columns = tuple(Column(name, on=("csv", "json")) for name in names)
    return Table(
        "comparison", "Differences, term by term", columns, tuple(row for pair in pairs for row in _rows(pair))
    )


def _rows(pair: Comparison) -> Iterator[tuple[Value, ...]]:
    head, tail = (pair.a, pair.b, pair.axis), (pair.differ_from, pair.differ_reason)
    numbers = [(term.name, term.estimate) for term in pair.terms]
    for name, estimate in [*numbers, ("total", pair.total_estimate)]:
        low, high = estimate.interval or (math.nan, math.nan)
        yield *head, name, estimate.value, low, high, pair.level, estimate.reason, *tail


def comparison_in_latex(pairs: Sequence[Comparison]) -> Table:
    """One row for each pair, all to the same decimal, so that a reader can add them up."""
    names = list(dict.fromkeys(term.name for pair in pairs for term in pair.terms))
    form = n.Form("nats", "nats per token", places=n.TERM.places)
    parts = (Column(name, form=form, on=LATEX, tex=SYMBOLS[name]) for name in names)
    columns = (Column("a", on=LATEX), Column("b", on=LATEX), *parts, Column("total", form=form, on=LATEX))
    rows = []
    for pair in pairs:
        estimates = {term.name: term.estimate for term in pair.terms}
        total = Estimate(pair.total)
        rows.append((pair.a, pair.b, *(estimates.get(name) for name in names), total))
    methods = "; or ".join(dict.fromkeys(pair.method for pair in pairs))
    levels = " and ".join(sorted({f"{100 * pair.level:g}" for pair in pairs}))
    legend = (
        "nats per token, b minus a; below 0: b is better; the terms add up to the total, which has no interval; "
        f"brackets: {levels} percent intervals of the terms ({methods}); a description, no cause"
    )
    return Table("comparison", "Differences, a row for each pair", columns, tuple(rows), legend)


def _batches(pair: Comparison) -> Iterator[str]:
    if pair.batches is not None:
        note = words.batches_note(pair.batches, pair.a, pair.b)
        yield f"{note[0].upper()}{note[1:]}."


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each pair whose difference splits into terms."""
    with d.style():
        pairs = _split(report)
        fig, axes = d.multiples(len(pairs), layout, height=3.0, share=False, most=MOST)
        if not pairs:
            d.say_empty(axes[0], "no pair of runs has a break in both")
        for ax, pair in zip(axes, pairs[:MOST], strict=False):
            a, b = short_distinct_names([pair.a, pair.b], 30)
            ax.set_title(f"{b}\nminus {a}")
            _panel(ax, pair)
        better, worse = d.SERIES[2], d.SERIES[1]
        colours = (
            ("makes the second run better", better),
            ("makes it worse", worse),
            ("the whole difference", d.MUTED),
        )
        handles = [d.entry(label, color=colour, linewidth=7) for label, colour in colours]
        d.legend_below(fig, [*handles, d.entry("interval of a term", linewidth=1.2)], layout)
    return fig


def _split(report: Report) -> list[Comparison]:
    return [pair for pair in report.across(Comparison) if pair.terms]


def _panel(ax: "d.Axes", pair: Comparison) -> None:
    sizes = [*(term.nats for term in pair.terms), pair.total]
    colours = [d.SERIES[2] if term.nats < 0 else d.SERIES[1] for term in pair.terms]
    ax.barh(range(len(sizes)), sizes, 0.55, color=[*colours, d.MUTED], zorder=2)
    reach = [0.0, *sizes]
    for place, term in enumerate(pair.terms):
        if term.interval:
            ax.hlines(place, *term.interval, color=d.INK, linewidth=1.2, zorder=3)
            reach += term.interval
    names = [SHORT.get(term.name, term.name) for term in pair.terms] + ["total"]
    ticks = [f"{name}\n{words.signed(size)}" for name, size in zip(names, sizes, strict=True)]
    ax.set_yticks(range(len(sizes)), ticks)
    ax.tick_params(axis="y", length=0)
    ax.axvline(0, color=d.INK, linewidth=0.8, zorder=2.5)
    ax.axhline(len(sizes) - 1.5, color=d.MUTED, linewidth=0.6, zorder=1)  # a sum is written below a line
    ax.set_ylim(len(sizes) - 0.5, -0.5)
    room = 0.06 * (max(reach) - min(reach)) or 0.1
    ax.set_xlim(min(reach) - room, max(reach) + room)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("difference in loss (nats per token)")


def alt(report: Report) -> str:
    """Alt text."""
    pairs = _split(report)[:MOST]
    return (
        " ".join(textwrap.shorten(f"{words.reached(pair)} {words.parts(pair)}", 600) for pair in pairs)
        or "Nothing drawn."
    )


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each term of each pair that is drawn, and the total."""
    table = comparison(_split(report)[:MOST])
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]
