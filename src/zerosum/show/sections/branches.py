"""How much of the cancelled movement every order of the data shares, from branches of one checkpoint."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.estimate import Estimate
from zerosum.interference.labelled import Branches
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import SCREEN, Column, Table, Value, with_ends

TITLE = "Systematic or noise: branches on other orders of the data"
PLACE = 33
OF_ONE_RUN = Branches
HOW_TO_READ = (
    "Several branches continue one checkpoint on other orders of the data. Left: what is left of D when the changes of "
    "k branches are averaged, token by token. The noise of the order averages out, and what remains for many branches "
    "is systematic. Its size lies between the two curves of the middle panel: M_k, the mean size of a "
    "change after averaging k branches, falls towards it; A_k, the part of a branch's movement that has the sign of "
    "the mean of k other branches, rises towards it. The bar at the left is that of infinitely many branches. "
    "Right: correlation of the changes of each pair of branches, over tokens; 0 for pure noise."
)
FORMULAS = {
    "systematic share": """With <code>x_bi = s_i + e_bi</code> the change of token i in branch b, s shared by all
orders of the data: <code>(mean |s| − |delta_L|) / (M_1 − |delta_L|)</code>. Expected values obey
<code>A_k ≤ mean |s| ≤ M_k</code>, with <code>M_k = mean |mean of k branches|</code> and
<code>A_k = mean x_b sign(mean of k others)</code>. The value is A_k extrapolated to infinitely many branches; the
interval goes from the lower limit of A_(B−1) to the upper limit of <code>min(M_B, sqrt(mean s²))</code>, so it contains
the error of extrapolating.""",
}
MOST_GROUPS = 2  # on the first screen
MEANING = (
    "systematic: share of the cancelled movement that every order of the data has (0: noise, 1: opposition that stays)."
)


def absent(report: Report) -> str | None:
    return None if report.only(Branches) else ""


def _measured(report: Report) -> Branches:
    measured = report.only(Branches)
    assert measured is not None  # noqa: S101 - `absent` says so otherwise
    return measured


def headline(report: Report) -> str:
    """The systematic share and the correlation."""
    branches = _measured(report)
    share = branches.whole.systematic_share
    steps = (
        f"Steps {n.count(branches.from_step)} to {n.count(branches.to_step)}, {len(branches.names)} orders of the data"
    )
    D = f"D {n.number(branches.whole.D_k[0], 3)} of a branch, {n.number(branches.mean.D, 3)} of their mean"
    if not share.known:
        return f"{steps}: {D}; {share.reason}."
    amount = f"{n.number(100 * share.value, 0)} %"
    if share.interval:
        low, high = share.interval
        amount += f" ({n.number(100 * low, 0)} to {n.number(100 * high, 0)} %)"
    return f"{steps}: {amount} of the cancelled movement is systematic, the rest is noise of the order; {D}."


def sentences(report: Report) -> Iterator[str]:
    """The shared harm, what the numbers are of, and why one is missing."""
    branches = _measured(report)
    whole = branches.whole
    if not whole.D_inf.known:
        yield f"D of infinitely many branches is not given: {whole.D_inf.reason}."
    if whole.harm_in_all.known:
        yield (
            f"{n.number(100 * whole.harm_in_all.value, 1)} % of the harm is on tokens that get worse in every branch; "
            f"by chance it would be {n.number(100 * whole.harm_by_chance, 1)} %."
        )
    if math.isfinite(whole.noise_directions):
        yield (
            f"The noise of the order lies in about {n.count(round(whole.noise_directions))} directions of the weights; "
            "the fewer they are, the more branches an interval takes."
        )
    yield (
        f"N = {n.count(whole.N)} held-out tokens; intervals are 95 % over {n.counted(whole.n_units, branches.units)} "
        "and over branches. "
        "Learning rate and optimizer continue the run; only the order of the data differs."
    )


def answer(report: Report) -> Iterator[Table | str]:
    """The numbers of all tokens and of groups, and why one is missing."""
    branches = _measured(report)
    yield _shares(branches, MOST_GROUPS)
    if len(branches.groups) > MOST_GROUPS:
        yield f"The first {MOST_GROUPS} of {len(branches.groups)} groups; all with --details."
    reasons = {estimate.reason for estimate in (branches.whole.systematic_share, branches.whole.D_inf)}
    yield from (f"{reason[:1].upper()}{reason[1:]}." for reason in sorted(reasons - {""}))


def tables(report: Report) -> Iterator[Table]:
    """All numbers, each branch, and the means of k branches."""
    branches = _measured(report)
    yield _shares(branches)
    yield _each(branches)
    yield _means(branches)


def _shares(branches: Branches, most: int | None = None) -> Table:
    rows: list[tuple[Value, ...]] = []
    csv: list[dict[str, Any]] = []
    for name, group in (("all tokens", branches.whole), *branches.groups[:most]):
        share = group.systematic_share
        rows.append(
            (printable(name), share, group.correlation, group.D_inf, group.harm_in_all, group.harm_by_chance, group.N)
        )
        numbers = ("systematic_share", "correlation", "D_inf", "harm_in_all")
        row: dict[str, Any] = {"tokens": name}
        for number in numbers:
            row |= with_ends(number, getattr(group, number))
        csv.append(row | {"harm_by_chance": group.harm_by_chance, "M_1": group.M_k[0], "N": group.N})
    columns = (
        Column("tokens", on=SCREEN),
        Column("systematic", form=n.D, on=SCREEN),
        Column("correlation", form=n.D, on=SCREEN),
        Column("D_inf", form=n.D, on=SCREEN),
        Column("same harm", form=n.D, on=SCREEN),
        Column("chance", form=n.D, on=SCREEN),
        Column("N", on=SCREEN),
    )
    legend = f"{MEANING} same harm: on tokens that get worse in every branch, and by chance."
    return Table("branches", "What the branches share", columns, tuple(rows), legend).with_csv(csv)


def _each(branches: Branches) -> Table:
    names = ("D", "M", "delta_L")
    forms = {"D": n.D, "M": n.M, "delta_L": n.DELTA_L}
    columns = (Column("branch"), *(Column(name, form=forms[name], interval=True) for name in names), Column("N"))
    measured = (*zip(branches.names, branches.each, strict=True), ("mean of all", branches.mean))
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (name, *(one.estimate(number) for number in names), one.N) for name, one in measured
    )
    return Table("each-branch", "Each branch, and their mean", columns, rows)


def _means(branches: Branches) -> Table:
    whole = branches.whole
    sizes = (Column("M_k", unit="nats per token", form=n.M), Column("A_k", unit="nats per token", form=n.M))
    columns = (Column("k", "branches averaged"), Column("D_k", form=n.D), *sizes)
    along: tuple[float | None, ...] = (*whole.A_k, None)
    values = enumerate(zip(whole.D_k, whole.M_k, along, strict=True), 1)
    rows: tuple[tuple[Value, ...], ...] = tuple((k, D, M, A) for k, (D, M, A) in values)
    return Table("means-of-branches", "Means of k branches", columns, rows)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D of means of k branches; M_k and A_k; correlations of pairs."""
    branches = _measured(report)
    whole = branches.whole
    ks = list(range(1, len(whole.M_k) + 1))
    inverse = [1 / k for k in ks]
    with d.style():
        fig, (left, middle, right) = d.panels(3, layout, height=3.0, columns=3)
        left.plot([1.0] * len(branches.each), [one.D for one in branches.each], "o", color=d.MUTED, markersize=4)
        left.plot(inverse, whole.D_k, "o-", color=d.SERIES[0])
        middle.plot(inverse, whole.M_k, "o-", color=d.SERIES[0])
        middle.plot(inverse[:-1], whole.A_k, "s-", color=d.SERIES[1])
        _at_infinity(left, whole.D_inf)
        _at_infinity(middle, _mean_shared(branches))
        for ax in (left, middle):
            ax.set_xlim(-0.05, 1.05)
            ax.set_xticks([0.0, *inverse], ["∞", *map(str, ks)])
            ax.set_xlabel("branches averaged, k (axis: 1/k)")
        left.set_ylim(0, 1.02)
        left.set_title("D of the mean of k branches")
        middle.set_ylim(0, 1.1 * (whole.M_k[0] or 1.0))
        middle.set_title("Movement, nats per token")
        right.axhline(0, color=d.MUTED, linewidth=0.8)
        right.plot(range(1, len(whole.correlations) + 1), whole.correlations, "D", color=d.SERIES[4])
        right.set_ylim(min(-0.1, *whole.correlations), 1.05)
        right.set_xticks([])
        right.set_xlabel("pairs of branches")
        right.set_title("Correlation over tokens")
        d.legend_below(fig, _legend(), layout)
    return fig


def _legend() -> "list[d.Line2D]":
    return [
        d.entry("each branch", marker="o", color=d.MUTED, linestyle=""),
        d.entry("D_k and M_k, means of k branches", marker="o", color=d.SERIES[0]),
        d.entry("A_k, along the sign of k others", marker="s", color=d.SERIES[1]),
        d.entry("infinitely many branches, 95 % interval", marker="*", color=d.INK, linestyle=""),
    ]


def _mean_shared(branches: Branches) -> Estimate:
    """mean |s| from the systematic share, in nats per token."""
    whole = branches.whole
    net, share = abs(whole.delta_L), whole.systematic_share
    cancelled = whole.M_k[0] - net
    low, high = share.interval or (math.nan, math.nan)
    ends = (net + cancelled * low, net + cancelled * high) if share.interval else None
    return Estimate(net + cancelled * share.value, ends)


def _at_infinity(ax: "d.Axes", estimate: Estimate) -> None:
    if estimate.interval:
        ax.plot([0, 0], estimate.interval, color=d.INK, linewidth=2, zorder=3)
    if estimate.known:
        ax.plot([0], [estimate.value], "*", color=d.INK, markersize=10, zorder=4)


def alt(report: Report) -> str:
    """Alt text."""
    return f"D, M_k and A_k of means of k branches, and correlations of pairs of branches. {headline(report)}"


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each number of averaged branches."""
    whole = _measured(report).whole
    along: tuple[float | None, ...] = (*whole.A_k, None)
    return [
        {"k": k, "D_k": D, "M_k": M, "A_k": A}
        for k, (D, M, A) in enumerate(zip(whole.D_k, whole.M_k, along, strict=True), 1)
    ]
