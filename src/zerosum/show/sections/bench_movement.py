"""Movement of a bench: M per nat and D between preset losses, which all arms cross, and the paired differences of M."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.bench.answer_record import ArmAnswer, MovementDifference, SizeAnswer
from zerosum.bench.differences import weights_measured
from zerosum.bench.over_seeds import Means, mean_movement
from zerosum.bench.results import ArmResult
from zerosum.estimate import Estimate
from zerosum.show import drawing as d
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _bench as b
from zerosum.show.table import Column, Table, with_ends

TITLE = "Movement paid per nat, at equal losses"
PLACE = 77.4
HOW_TO_READ = (
    "Each point is one interval between two preset losses, drawn at its middle; training goes from left to right. "
    "Left: M, the mean |change| of a token's loss, per nat by which the mean loss falls. Middle: arm minus baseline "
    "over the same interval, with 95 % intervals over paired seeds; below 0 the arm pays less. Right: "
    "D = 1 - 1 / (M per nat), with the table of bigrams, in which nothing is shared between rows: its D, too, rises "
    "where it meets its floor. Upright dotted lines: losses of n-gram models of the text. Losses are those of the "
    "tokens measured."
)


def absent(report: Report) -> str | None:
    if (no := b.absent(report)) is not None:
        return no
    measured = [weights for size in b.record(report).sizes for weights in weights_measured(size.result)]
    return None if measured else "per-token losses of checkpoints were not measured"


def sentences(report: Report) -> Iterator[str]:
    """The difference of each arm over its main interval, on each kind of weights."""
    bench = b.record(report)
    yield (
        "D = 1 - |delta_L| / M, so over one interval of the loss D says nothing beyond M: arms are compared by M per "
        "nat of progress. All of this is exploratory."
    )
    for size in bench.sizes:
        before = f"{b.at(size, bench)}: " if len(bench.sizes) > 1 else ""
        for arm in b.trained(size):
            parts = [_main(one) for one in arm.movement if one.main and one.M.mean.known]
            if parts:
                yield f"{before}{printable(arm.name, 40)}, difference in movement per nat: {'; '.join(parts)}."


def _main(one: MovementDifference) -> str:
    ends = f"loss {one.L_a:.3g} to {one.L_b:.3g}"
    return f"{_weights(one.weights)} {b.of_baseline(one.M)} ({b.pairs(one.M)}), {ends}"


def _weights(name: str) -> str:
    return "weights of a step" if name == "raw" else f"averaged weights ({printable(name, 20)})"


def tables(report: Report) -> Iterator[Table]:
    """Every interval of every arm."""
    columns = (
        Column("size"),
        Column("arm"),
        Column("weights"),
        Column("L_a", unit="nats per token"),
        Column("L_b", unit="nats per token"),
        Column("main"),
        Column("of_baseline", "M per nat of the baseline"),
        Column("M_per_nat", "difference in M per nat", form=b.SIGNED, interval=True),
        Column("D", "difference in D", form=b.SIGNED, interval=True),
        Column("p", form=b.P),
        Column("n"),
    )
    rows = tuple(
        (
            *(size.result.size.name, arm.name, one.weights, one.L_a, one.L_b, one.main),
            *(one.M.baseline, one.M.mean, one.D.mean, one.M.p, one.M.n),
        )
        for size in b.record(report).sizes
        for arm in b.trained(size)
        for one in arm.movement
    )
    legend = (
        "Arm minus baseline over paired seeds; brackets: 95 % intervals. main: the interval by which arms are compared."
    )
    yield Table("bench-movement", "Movement over equal-loss intervals", columns, rows, legend)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """For each size M per nat, its paired differences, and D, against the loss."""
    bench = b.record(report)
    looks = b.looks(bench)
    with d.style():
        fig, axes = d.panels(3 * len(bench.sizes), layout, height=3.2, columns=3)
        rungs: list[d.Line2D] = []
        for k, size in enumerate(bench.sizes):
            M, differences, D = axes[3 * k : 3 * k + 3]
            weights = next(iter(weights_measured(size.result)), "")
            _values(M, size, weights, "per_nat", looks)
            _differences(differences, size, weights, looks)
            _values(D, size, weights, "D", looks)
            M.set_title(f"{b.at(size, bench)} {_weights(weights) if weights else 'not measured yet'}".strip())
            differences.set_title("arm minus baseline")
            for ax in (M, differences, D):
                rungs = d.rung_lines(ax, size.result.ngrams, "x") or rungs
        drawn = any(mean_movement(table, "raw", "D") for size in bench.sizes for table in _tables_of_bigrams(size))
        bigram = [d.entry("table of bigrams", color=d.MUTED, marker="x", linestyle="-", linewidth=1)] if drawn else []
        d.legend_below(fig, [*b.handles(bench), *bigram, *rungs], layout)
    return fig


def _values(ax: "d.Axes", size: SizeAnswer, weights: str, number: str, looks: dict[str, "d.RunStyle"]) -> None:
    arms = [size.baseline.result, *(arm.result for arm in b.trained(size))]
    seen: list[float] = []
    for arm in arms:
        places, means = _apart(mean_movement(arm, weights, number))
        look = looks[arm.name]
        if arm is not arms[0]:  # bands of all arms would hide each other; the middle panel has the intervals
            means = [Estimate(mean.value) for mean in means]
        d.with_band(ax, places, means, look)
        seen += places
    for table in _tables_of_bigrams(size) if number == "D" else ():
        places, means = _apart(mean_movement(table, "raw", number))
        ax.plot(places, [mean.value for mean in means], color=d.MUTED, marker="x", linewidth=1)
        seen += places
    _loss_axis(ax, seen)
    ax.set_ylabel("D" if number == "D" else "M per nat of progress")


def _tables_of_bigrams(size: SizeAnswer) -> list[ArmResult]:
    return [arm.result for arm in size.arms if arm.result.kind == "bigram"]


def _differences(ax: "d.Axes", size: SizeAnswer, weights: str, looks: dict[str, "d.RunStyle"]) -> None:
    ax.axhline(0, color=d.INK, linewidth=0.8)
    arms = b.trained(size)
    seen: list[float] = []
    for k, arm in enumerate(arms):
        look = looks[arm.name]
        places = [(one.L_a + one.L_b) / 2 for one in _parts(arm, weights)]
        means = [one.M.mean for one in _parts(arm, weights)]
        shift = 1 + 0.006 * (k - (len(arms) - 1) / 2)  # intervals beside each other
        for at, mean in zip(places, means, strict=True):
            ax.plot([at * shift] * 2, mean.interval or (math.nan,) * 2, color=look.colour, linewidth=1)
        ax.plot(
            [at * shift for at in places],
            [mean.value for mean in means],
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            linewidth=0.8,
        )
        seen += places
    _loss_axis(ax, seen)
    ax.set_ylabel("difference in M per nat of progress")


def _loss_axis(ax: "d.Axes", seen: list[float]) -> None:
    """Losses from high to low, as training goes."""
    if seen:
        room = 0.13 * (max(seen) - min(seen)) or 0.1
        ax.set_xlim(max(seen) + room, min(seen) - room)
    ax.set_xlabel("mean loss (nats per token)")


def _apart(means: Means) -> tuple[list[float], list[Estimate]]:
    return [at for at, _ in means], [mean for _, mean in means]


def _parts(arm: ArmAnswer, weights: str) -> list[MovementDifference]:
    return [one for one in arm.movement if one.weights == weights and not one.main]


alt = with_sentences("Movement per nat and D against the loss, for every arm, and paired differences.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each arm, kind of weights and interval."""
    rows = []
    for size in b.record(report).sizes:
        for weights in weights_measured(size.result):
            for arm in (size.baseline.result, *size.result.arms):
                both = (mean_movement(arm, weights, number) for number in ("per_nat", "D"))
                for (at, of_M), (_, of_D) in zip(*both, strict=True):
                    row = {"size": size.result.size.name, "arm": arm.name, "weights": weights, "loss": at}
                    rows.append(row | with_ends("M_per_nat", of_M) | with_ends("D", of_D) | {"seeds": of_M.N})
    return rows
