"""Loss curves of a bench: held-out losses of each arm at its constant rate, and their paired difference."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from zerosum.bench.answer_record import SizeAnswer
from zerosum.bench.over_seeds import mean_curve, mean_difference
from zerosum.bench.results import ArmResult
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _bench as b
from zerosum.show.table import with_ends

TITLE = "Loss curves of the arms"
PLACE = 77.3
MILLION = 1e6
HOW_TO_READ = (
    "Left: held-out loss at the constant rate, mean over seeds; dots beyond the end: after the cooldown, "
    "on more of the held-out text, whose mean may be another. Dotted lines: "
    "losses of n-gram models of the text; a break on such a line is a floor that the model meets. Right: arm minus "
    "baseline after the same number of tokens, mean over paired seeds with its 95 % interval; below 0 the arm is "
    "ahead. A constant rate favours low rates: which arm ends lower is for the losses after the cooldown to say."
)


def absent(report: Report) -> str | None:
    if (no := b.absent(report)) is not None:
        return no
    runs = [run for size in b.record(report).sizes for run in size.baseline.result.runs]
    return None if any(run.curve.steps for run in runs) else "the held-out loss was not logged while training"


def sentences(report: Report) -> Iterator[str]:
    """Where the baseline breaks beside the n-gram models of the text."""
    bench = b.record(report)
    for size in bench.sizes:
        ngrams = ", ".join(f"{printable(name, 20)} {n.number(loss, 2)}" for name, loss in size.result.ngrams.items())
        L_d = size.baseline.numbers["L_d"]
        if not ngrams or not L_d.known:
            continue
        before = f"{b.at(size, bench)}: " if len(bench.sizes) > 1 else ""
        name = printable(size.baseline.result.name, 40)
        yield f"{before}{name} breaks at L_d = {n.text(L_d.value, L_d.interval, n.L_D)}; n-gram models reach {ngrams}."


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """For each size its losses, and their differences from the baseline."""
    bench = b.record(report)
    looks = b.looks(bench)
    with d.style():
        fig, axes = d.panels(2 * len(bench.sizes), layout, height=3.4, columns=2)
        rungs: list[d.Line2D] = []
        for k, size in enumerate(bench.sizes):
            rungs = _losses(axes[2 * k], size, looks) or rungs
            _differences(axes[2 * k + 1], size, looks)
            axes[2 * k].set_title(b.at(size, bench))
        d.legend_below(fig, [*b.handles(bench), *rungs], layout)
    return fig


def _arms(size: SizeAnswer) -> list[ArmResult]:
    return [size.baseline.result, *(arm.result for arm in b.trained(size))]


def _losses(ax: "d.Axes", size: SizeAnswer, looks: dict[str, "d.RunStyle"]) -> list["d.Line2D"]:
    tokens: list[float] = []
    drawn: list[float] = []
    for arm in _arms(size):
        means = mean_curve(arm)
        cooled = [(run.tokens / MILLION, run.loss) for run in arm.runs if math.isfinite(run.loss) and run.tokens]
        look = looks[arm.name]
        at, values = [place / MILLION for place, _ in means], [mean.value for _, mean in means]
        ax.plot(at, values, color=look.colour, linestyle=look.line, linewidth=1.2)
        if cooled:
            end, loss = np.mean(cooled, axis=0).tolist()
            ax.plot([end], [loss], color=look.colour, marker=look.marker, linestyle="")
            tokens.append(end)
            drawn.append(loss)
        late = len(at) // 4  # the steep beginning would leave no room for the end
        tokens += at[late:]
        drawn += values[late:]
    d.log_axis(ax, "x", tokens, pad=1.15, most=6)
    d.log_axis(ax, "y", drawn, pad=1.03, most=7)
    ax.set_xlabel("training tokens (millions)")
    ax.set_ylabel("held-out loss (nats per token)")
    return d.rung_lines(ax, size.result.ngrams)


def _differences(ax: "d.Axes", size: SizeAnswer, looks: dict[str, "d.RunStyle"]) -> None:
    ax.axhline(0, color=d.INK, linewidth=0.8)
    every: list[float] = []
    ends: list[float] = []
    for arm in _arms(size)[1:]:
        means = mean_difference(arm, size.baseline.result)
        late = means[len(means) // 4 :]
        look = looks[arm.name]
        thin = d.RunStyle(look.colour, "", look.line, look.label, 1.0)
        d.with_band(ax, [at / MILLION for at, _ in late], [mean for _, mean in late], thin)
        every += [at / MILLION for at, _ in late]
        ends += [mean.value for _, mean in late[len(late) // 2 :]]
    if every:
        d.log_axis(ax, "x", every, pad=1.15, most=6)
    if ends:
        reach = 1.2 * max(map(abs, ends)) or 0.01
        ax.set_ylim(-reach, reach)
    ax.set_title("arm minus baseline")
    ax.set_xlabel("training tokens (millions)")
    ax.set_ylabel("difference in loss (nats per token)")


alt = with_sentences("Held-out losses of the arms against training tokens, and their differences.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each arm and number of tokens."""
    rows = []
    for size in b.record(report).sizes:
        for arm in _arms(size):
            differences = dict(mean_difference(arm, size.baseline.result))
            for tokens, loss in mean_curve(arm):
                row = {"size": size.result.size.name, "arm": arm.name, "tokens": tokens, **with_ends("loss", loss)}
                difference = differences.get(tokens)
                rows.append(row | (with_ends("difference", difference) if difference else {}))
    return rows
