"""Tuning of a bench: held-out loss after the cooldown against the learning rate, for the baseline and every arm."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.bench.answer_record import SizeAnswer, Tuning
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _bench as b
from zerosum.show.table import PEOPLE, SCRIPTS, Column, Table

TITLE = "Tuning: loss against learning rate"
PLACE = 77.2
HOW_TO_READ = (
    "Each line is an arm, each point the held-out loss after the cooldown of tuning runs at one rate, on seeds that "
    "are not reported. Lines: the short horizon; points without a line: the whole horizon. Ring: the rate that was "
    "chosen. At the upper edge, plus signs: a higher loss than is drawn; crosses: a run diverged. An arm whose best "
    "rate lies at the end of its line is undertuned. A flat line is insensitive to the rate. Losses at the short and "
    "at the whole horizon are not to be compared."
)

HIGHER = "+"
RING: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 9, "markerfacecolor": "none"}


def absent(report: Report) -> str | None:
    if (no := b.absent(report)) is not None:
        return no
    tuned = [tuning for size in b.record(report).sizes for _, tuning in _tunings(size)]
    return None if tuned else "no tuning runs are there"


def sentences(report: Report) -> Iterator[str]:
    """The best rates of each size, and arms that were not tuned to the end."""
    bench = b.record(report)
    for size in bench.sizes:
        before = f"{b.at(size, bench)}: " if len(bench.sizes) > 1 else ""
        tuned = [(name, tuning) for name, tuning in _tunings(size) if math.isfinite(tuning.best_lr)]
        if tuned:
            rates = ", ".join(f"{printable(name, 40)} {tuning.best_lr:.3g}" for name, tuning in tuned)
            yield f"{before}Best rates: {rates}."
        edge = [printable(name, 40) for name, tuning in _tunings(size) if tuning.at_edge]
        if edge:
            yield f"{before}At the edge of the rates tried: {', '.join(edge)}."


def tables(report: Report) -> Iterator[Table]:
    """Every rate, and what it says of each arm."""
    bench = b.record(report)
    columns = (
        Column("size"),
        Column("arm"),
        Column("lr", on=SCRIPTS),
        Column("lr", "rate", on=PEOPLE),
        Column("loss", "held-out loss", "nats per token", n.Form("", digits=5)),
        Column("diverged"),
        Column("full", "whole horizon"),
        Column("n", "seeds"),
    )
    rows = tuple(
        (size.result.size.name, name, point.lr, f"{point.lr:.4g}", point.loss, point.diverged, point.full, point.n)
        for size in bench.sizes
        for name, tuning in _tunings(size)
        for point in tuning.rates
    )
    yield Table("bench-rates", "Every rate tried", columns, rows, "Losses after the cooldown, means over tuning seeds.")


def _tunings(size: SizeAnswer) -> list[tuple[str, Tuning]]:
    """The baseline and the arms that were tuned."""
    every = [(size.baseline.result.name, size.baseline.tuning), *((arm.name, arm.tuning) for arm in size.arms)]
    return [(name, tuning) for name, tuning in every if tuning.rates]


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """A panel for each size, a line for each arm."""
    bench = b.record(report)
    looks = b.looks(bench)
    with d.style():
        fig, axes = d.panels(len(bench.sizes), layout, height=3.6)
        for ax, size in zip(axes, bench.sizes, strict=True):
            _panel(ax, size, looks)
            ax.set_title(b.at(size, bench))
        drawn = list(dict.fromkeys(name for size in bench.sizes for name, _ in _tunings(size)))
        handles = d.run_handles([looks[name] for name in drawn])
        marks = [d.entry("chosen", **RING), d.entry("higher", marker=HIGHER), d.entry("diverged", marker="x")]
        d.legend_below(fig, [*handles, *marks], layout)
    return fig


def _panel(ax: "d.Axes", size: SizeAnswer, looks: dict[str, "d.RunStyle"]) -> None:
    every = [point for _, tuning in _tunings(size) for point in tuning.rates]
    losses = [point.loss for point in every if not point.diverged]
    highest = _highest(size)
    for name, tuning in _tunings(size):
        look = looks[name]
        chosen = [point for point in tuning.rates if point.lr == tuning.best_lr and not point.diverged][-1:]
        ax.plot([p.lr for p in chosen], [p.loss for p in chosen], color=look.colour, **RING)
        for full in (False, True):
            points = [point for point in tuning.rates if point.full is full]
            known = [point for point in points if not point.diverged]
            line = "" if full else look.line
            ax.plot(
                [p.lr for p in known], [p.loss for p in known], color=look.colour, marker=look.marker, linestyle=line
            )
            higher = [p.lr for p in known if p.loss > highest]
            for marker, top in ((HIGHER, higher), ("x", [p.lr for p in points if p.diverged])):
                at_the_edge: dict[str, Any] = {
                    "transform": ax.get_xaxis_transform(),
                    "color": look.colour,
                    "marker": marker,
                }
                ax.plot(top, [0.98] * len(top), linestyle="", **at_the_edge)
    d.log_axis(ax, "x", [point.lr for point in every], pad=1.2, most=6)
    if losses:
        room = 0.08 * (highest - min(losses)) or 0.01
        ax.set_ylim(min(losses) - room, highest + 1.5 * room)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("held-out loss after cooldown (nats per token)")


def _highest(size: SizeAnswer) -> float:
    """The highest loss at half and twice the rates with the lowest: one steep side would hide all differences."""
    near: list[float] = []
    for _, tuning in _tunings(size):
        for full in (False, True):
            losses = {p.lr: p.loss for p in tuning.rates if p.full is full and not p.diverged}
            best = min(losses, key=lambda lr: losses[lr], default=math.nan)
            near += [loss for lr, loss in losses.items() if abs(math.log2(lr / best)) < 1.1]
    return max(near, default=math.nan)


alt = with_sentences("Held-out loss after the cooldown against the learning rate, a line for each arm.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each rate."""
    return [
        {"size": size.result.size.name, "arm": name, "lr": point.lr, "full": point.full, "seeds": point.n}
        | {"loss": math.nan if point.diverged else point.loss, "diverged": point.diverged}
        | {"chosen": point.lr == tuning.best_lr}
        for size in b.record(report).sizes
        for name, tuning in _tunings(size)
        for point in tuning.rates
    ]
