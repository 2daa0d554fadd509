"""The arms of a bench in a forest plot: differences of each measure from the baseline, with intervals."""

from typing import Any

from zerosum.bench.answer_record import BenchAnswer
from zerosum.comparison import PairedDifference
from zerosum.show import drawing as d
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _bench as b
from zerosum.show.sections.bench import sentences as of_arms
from zerosum.show.table import with_ends

TITLE = "Differences from the baseline"
PLACE = 77.1
HOW_TO_READ = (
    "Each row is an arm, each panel a measure: the mean over seeds of arm minus baseline with its 95 % interval; 0 is "
    "the baseline. Only the first panel, the held-out loss after the cooldown, decides the verdict; the others are "
    "exploratory. Grey band: the margin, differences up to which do not matter. Left of 0 is better for the loss, L_d "
    "and M, right of 0 for r_d. M: movement of the tokens' losses paid per nat of progress, over the same interval of "
    "the loss for both. The null arms, below the line, test the bench: the placebo must show no difference, half the "
    "rate must be worse. No mark: the difference is not known, for the reason in the table."
)
DRAWN = {
    "loss": "loss (nats per token)",
    "L_d": "L_d (nats per token)",
    "t_d": "t_d (steps)",
    "r_d": "r_d",
    "M_equal_loss": "M per nat, averaged",
    "M_equal_loss_raw": "M per nat, raw weights",
}


absent = b.absent


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """A forest: a row for each arm, a panel for each measure."""
    bench = b.record(report)
    shown = _drawn(bench)
    with d.style():
        rows = max(len(b.trained(size)) for size in bench.sizes)
        fig, axes = d.panels(len(shown), layout, height=0.9 + 0.34 * rows, columns=3 if len(shown) != 4 else 2)
        for ax, name in zip(axes, shown, strict=True):
            _forest(ax, bench, name)
        handles = [
            d.entry(
                printable(size.result.size.name, 24),
                color=d.SERIES[k % len(d.SERIES)],
                marker=d.MARKERS[k % len(d.MARKERS)],
            )
            for k, size in enumerate(bench.sizes)
        ]
        band = d.Patch(
            facecolor=d.RANGE, edgecolor=d.MUTED, linewidth=0.4, label="margin: smaller differences do not matter"
        )
        d.legend_below(fig, [*handles, band], layout)
    return fig


def _drawn(bench: BenchAnswer) -> list[str]:
    """Measures that are known of some arm."""
    every = [arm.differences for size in bench.sizes for arm in size.arms]
    return [name for name in DRAWN if name == "loss" or any(name in one and one[name].mean.known for one in every)]


def _forest(ax: "d.Axes", bench: BenchAnswer, name: str) -> None:
    arms = b.trained(bench.sizes[-1])
    place = {arm.name: k for k, arm in enumerate(arms)}
    ax.axvline(0, color=d.INK, linewidth=0.8, zorder=1.5)
    if name == "loss":
        margin = bench.sizes[-1].result.margin
        ax.axvspan(-margin, margin, color=d.RANGE, linewidth=0, zorder=0)
    for k, size in enumerate(bench.sizes):
        shift = 0.22 * (k - (len(bench.sizes) - 1) / 2)
        look = {"color": d.SERIES[k % len(d.SERIES)], "marker": d.MARKERS[k % len(d.MARKERS)]}
        for arm in (arm for arm in b.trained(size) if arm.name in place and name in arm.differences):
            _mark(ax, arm.differences[name], place[arm.name] + shift, look)
    competing = sum(arm.result.kind == "arm" for arm in arms)
    if 0 < competing < len(arms):
        ax.axhline(competing - 0.5, color=d.MUTED, linewidth=0.6, zorder=1)
    labels = [
        f"{printable(arm.name, 18)}\n{b.verdict(arm)}" if name == "loss" else printable(arm.name, 18) for arm in arms
    ]
    ax.set_yticks(range(len(arms)), labels)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(arms) - 0.4, -0.6)
    ax.grid(visible=False, axis="y")
    ax.locator_params(axis="x", nbins=5)
    ax.set_title("decides the verdict" if name == "loss" else "exploratory")
    ax.set_xlabel(f"difference in {DRAWN[name]}")


def _mark(ax: "d.Axes", difference: PairedDifference, row: float, look: dict[str, Any]) -> None:
    mean = difference.mean
    if not mean.known:
        return
    if mean.interval:
        ax.plot(mean.interval, [row, row], color=look["color"], linewidth=1.4, zorder=3)
    ax.plot([mean.value], [row], linestyle="", zorder=4, **look)


alt = with_sentences("Differences of each arm from the baseline with intervals, a panel for each measure.", of_arms)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each arm and measure that is drawn."""
    bench = b.record(report)
    return [
        {"size": size.result.size.name, "arm": arm.name, "verdict": arm.verdict, "measure": name}
        | with_ends("difference", arm.differences[name].mean)
        | {"p": arm.differences[name].p, "n": arm.differences[name].n}
        for size in bench.sizes
        for arm in b.trained(size)
        for name in _drawn(bench)
        if name in arm.differences
    ]
