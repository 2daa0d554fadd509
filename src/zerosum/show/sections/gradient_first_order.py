"""First-order against real loss changes of single tokens: a two-dimensional histogram of up to three checkpoints."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.gradients.over_training import (
    PREDICTED,
    Bins,
    Prediction,
    TokenChanges,
    binned,
    changes_of,
    prediction,
)
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _gradient_words as words
from zerosum.show.table import PEOPLE, Column, Table, Text, with_ends

TITLE = "Do first-order changes predict the real ones?"
PLACE = 53
OF_ONE_RUN = GradientsOverTraining
HOW_TO_READ = (
    "Each token's loss changes with the update u. Across: the change to first order, Σ g u, what it would be if the "
    "loss were linear in the parameters. Up: the real change. Both are nats, negative is better. The colour says how "
    "many tokens lie in a field, on a logarithmic scale; every token is in one. On the diagonal both are equal. The "
    "solid line is the best straight line through the tokens (least squares; it bends where the axes do); a slope "
    "below 1 says that real changes are smaller than predicted. “Explained” is the share of the variance of the real "
    "changes that the first-order ones explain as they stand, without any fit; it is negative where the mean of the "
    "real changes would have been the better prediction. Where the largest changes are far beyond most, the axes are "
    "linear around 0 and logarithmic further out. Brackets are 95 % intervals over texts (documents or sequences). "
    "Explaining is meant in the sense of regression: nothing is said about causes. Of more than three checkpoints the "
    "first, the middle and the last are shown; the table has all."
)
MOST = 3  # panels
BINS = {"wide": 48, "narrow": 40, "print": 40}
SHADES = (0.18, 0.32, 0.47, 0.62, 0.78, 0.95)  # of counts, each shade about three times the one before
_LEVELS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
_SHARE = n.Form("", "", most=5)
HEADS = {
    "correlation": ("Correlation", ""),
    "slope": ("Slope", "of the best line"),
    "explained": ("Explained", "of variance, as they stand"),
    "line_explains": ("By the line", "of variance"),
    "same_sign": ("Same sign", "of tokens"),
}
FORMULAS = {
    "First-order changes": """<code>Σ_j p_ij</code>: what the loss of token i would change by if it were
linear, in nats. Explained: <code>1 − Σ (y − x)² / Σ (y − mean y)²</code> with x the first-order and y the
real change. Intervals: each document, or sequence where there are fewer than 20 documents, is left out in turn
(jackknife).""",
}
Changed = tuple[GradientInterference, TokenChanges]


def absent(report: Report) -> str | None:
    """Where no token has both changes, as without an update."""
    over = report.only(GradientsOverTraining)
    if over is None:
        return ""
    if with_changes(over):
        return None
    known = over.last.estimate("D_first_order")
    return "changes of single tokens were not kept" if known.known else known.reason


def with_changes(over: GradientsOverTraining) -> list[Changed]:
    """The checkpoints whose tokens have both changes."""
    pairs = ((checkpoint, changes_of(checkpoint)) for checkpoint in over.checkpoints)
    return [(checkpoint, changes) for checkpoint, changes in pairs if changes is not None]


def shown(over: GradientsOverTraining) -> list[Changed]:
    """The first, the middle and the last of them."""
    known = with_changes(over)
    return [known[k] for k in sorted({0, len(known) // 2, len(known) - 1})] if known else []


def sentences(report: Report) -> Iterator[str]:
    """How well first-order changes predict the real ones at the last checkpoint."""
    checkpoint, changes = with_changes(words.measured(report))[-1]
    yield words.at_step(checkpoint, explained(prediction(changes)))


def explained(fit: Prediction) -> str:
    """How well first-order changes predict real ones, honestly: as they stand, and after a line was fitted."""
    tokens = f"N\xa0=\xa0{n.count(fit.N)} tokens"
    if not fit.correlation.known:
        return f"first-order and real loss changes of {tokens} cannot be compared: all of one kind are equal."
    if fit.explained.value > 0:
        share = words.percent(fit.explained)
        text = f"first-order changes as they stand explain {share} of the variance of the real ones"
    else:
        text = "first-order changes as they stand predict the real ones worse than their mean would"
    why = "" if fit.correlation.interval else f"; no intervals: {fit.correlation.reason}"
    return (
        f"{text} ({tokens}; correlation {words.with_interval(fit.correlation)}, slope "
        f"{words.with_interval(fit.slope)}; the best straight line explains {words.percent(fit.line_explains)}; "
        f"{words.percent(fit.same_sign)} of tokens move the way predicted{why})."
    )


def tables(report: Report) -> Iterator[Table]:
    """How well first-order changes predict the real ones at every checkpoint."""
    people = (
        Column("step", "Step", on=PEOPLE),
        Column("N", unit="tokens", on=PEOPLE),
        *(Column(name, *HEADS[name], words.SHARE, on=PEOPLE) for name in PREDICTED),
    )
    rows, scripts = [], []
    for checkpoint, changes in with_changes(words.measured(report)):
        fit = prediction(changes)
        estimates = {name: getattr(fit, name) for name in PREDICTED}
        why = "" if fit.correlation.interval else fit.correlation.reason
        heading = Text(n.count(checkpoint.step)), Text(n.count(fit.N), note=why and f"no interval: {why}")
        rows.append((*heading, *estimates.values()))
        numbers = {
            key: value for name, estimate in estimates.items() for key, value in with_ends(name, estimate).items()
        }
        scripts.append({"step": checkpoint.step, "N": fit.N, **numbers, "no_interval_because": why})
    yield Table("first-order", "First-order against real loss changes", people, tuple(rows)).with_csv(scripts)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each checkpoint shown."""
    drawn = [
        (checkpoint, changes, binned(changes, BINS[layout])) for checkpoint, changes in shown(words.measured(report))
    ]
    with d.style():
        fig, axes = d.panels(len(drawn), layout, height=4.2, columns=2 if layout == "print" else MOST)
        starts = levels(max(int(bins.count.max()) for _, _, bins in drawn))
        for ax, (checkpoint, changes, bins) in zip(axes, drawn, strict=True):
            _panel(ax, checkpoint, changes, bins, starts)
        axes[0].set_ylabel("real change (nats)")
        lines = [
            d.entry("real = first order", color=d.MUTED, linestyle="--", linewidth=1),
            d.entry("best line", linewidth=1),
        ]
        d.legend_below(fig, [*_shades(starts), *lines], layout)
    return fig


def _shades(starts: Sequence[int]) -> "list[d.Patch]":
    """Legend entries of the colours: how many tokens are in a field."""
    ranges = [
        f"{n.count(start)}" if stop == start + 1 else f"{n.count(start)} to {n.count(stop - 1)}"
        for start, stop in pairwise(starts)
    ]
    names = [*ranges, f"{n.count(starts[-1])} or more"]
    names[0] += " tokens"
    return [
        d.Patch(facecolor=d.to_rgba(d.SERIES[0], shade), edgecolor=d.MUTED, linewidth=0.5, label=name)
        for name, shade in zip(names, SHADES, strict=False)
    ]


def levels(most: int) -> list[int]:
    """From how many tokens on each shade stands, so that the darkest is reached.

    >>> levels(40), levels(2), levels(5000)
    ([1, 3, 10, 30], [1], [1, 30, 100, 300, 1000, 3000])
    """
    needed = [level for level in _LEVELS if level <= most]
    return [1, *needed[1:][-(len(SHADES) - 1) :]]


def _panel(
    ax: "d.Axes", checkpoint: GradientInterference, changes: TokenChanges, bins: Bins, starts: Sequence[int]
) -> None:
    fit = prediction(changes)
    _scales(ax, bins)
    shade = np.digitize(bins.count, starts)
    for k in range(len(starts)):
        if (shade == k + 1).any():
            fields = _fields(bins.edges, shade == k + 1)
            ax.add_patch(d.PathPatch(fields, facecolor=d.SERIES[0], alpha=SHADES[k], linewidth=0, antialiased=False))
    end = bins.edges[-1]
    along = bins.edges if bins.width else np.array([-end, end])
    ax.plot([-end, end], [-end, end], color=d.MUTED, linestyle="--", linewidth=1, zorder=3)
    if fit.slope.known:
        line = changes.loss_change.mean() + fit.slope.value * (along - changes.first_order.mean())
        ax.plot(along, line, color=d.INK, linewidth=1, zorder=3)
    heading = f"step {n.count(checkpoint.step)} (N = {fit.N:,} tokens)\n{in_title(fit)}"
    ax.set_title(heading, fontsize=8.5, linespacing=1.45)
    ax.set_xlabel("first-order change (nats)")
    ax.set_box_aspect(1)


def in_title(fit: Prediction) -> str:
    """The numbers above a panel."""
    rows = (("correlation", fit.correlation), ("slope", fit.slope), ("explained", fit.explained))
    return "\n".join(f"{name} {n.text(number.value, number.interval, _SHARE)}" for name, number in rows)


def _scales(ax: "d.Axes", bins: Bins) -> None:
    end = float(bins.edges[-1])
    for axis, scale, limit in ((ax.xaxis, ax.set_xscale, ax.set_xlim), (ax.yaxis, ax.set_yscale, ax.set_ylim)):
        if bins.width:
            scale("asinh", linear_width=bins.width)
            axis.set_major_locator(d.FixedLocator(ticks(bins.width, end)))
        else:
            axis.set_major_locator(d.MaxNLocator(5, symmetric=True, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(d.NullLocator())
        axis.set_major_formatter(d.FuncFormatter(lambda value, _: d.plain(float(value)).replace("-", "−", 1)))
        limit(-end, end)


def ticks(width: float, end: float) -> list[float]:
    """Ticks of an axis that is linear around 0: 0 and powers of ten well beyond the linear part, at most three a side.

    >>> ticks(0.003, 2.0)
    [-1.0, -0.1, -0.01, 0.0, 0.01, 0.1, 1.0]
    """
    first, last = math.ceil(math.log10(3 * width)), math.floor(math.log10(end))
    powers = [10.0**k for k in range(last, first - 1, -max(1, math.ceil((last - first + 1) / 3)))][::-1]
    return [*(-power for power in reversed(powers)), 0.0, *powers]


def _fields(edges: Float[np.ndarray, " n"], on: Bool[np.ndarray, "B B"]) -> "d.Path":
    """The fields that are on as one path, those in a row joined."""
    boxes = []
    for k, column in enumerate(on):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], column, [0]])))
        for low, high in ends.reshape(-1, 2):
            x0, x1, y0, y1 = edges[k], edges[k + 1], edges[low], edges[high]
            boxes.append(d.Path([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], closed=True))
    return d.Path.make_compound_path(*boxes)


alt = with_sentences(
    "Histogram of first-order against real loss changes of single tokens, with the best straight line through them.",
    sentences,
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """The fields of the wide figure that hold a token. Edges in nats."""
    rows = []
    for checkpoint, changes in shown(words.measured(report)):
        bins = binned(changes, BINS["wide"])
        edges = bins.edges.tolist()
        rows += [
            {
                "step": checkpoint.step,
                **{"first_order_low": edges[x], "first_order_high": edges[x + 1]},
                **{"loss_change_low": edges[y], "loss_change_high": edges[y + 1]},
                "tokens": int(bins.count[x, y]),
            }
            for x, y in np.argwhere(bins.count).tolist()
        ]
    return rows
