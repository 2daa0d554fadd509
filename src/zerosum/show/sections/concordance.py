"""Section: whether the same tokens keep paying: agreement of signs between pairs, and how often a token got worse."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.interference.labelled import Persistence, StoreInterference, WorseOften
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _interference_words as words
from zerosum.show.sections._single_run import absent_of_several, findings_of
from zerosum.show.table import Column, Table, Value

TITLE = "Do the same tokens keep paying?"
PLACE = 42
HOW_TO_READ = (
    "Left: of tokens in two pairs of checkpoints, the share whose losses moved the same way in both, weighted by how "
    "far they moved, minus what independent signs would give. Above 0 the same tokens keep gaining or keep paying; "
    "below 0 they take turns. Bars are 95 % intervals. Pairs that share a checkpoint (hollow) lean below 0 by "
    "themselves, because chance fluctuations of that checkpoint enter both with opposite signs; trust the full marks. "
    "Right: in how many successive pairs a token got worse, beside what signs independent from pair to pair would "
    "give. More tokens at both ends than expected: some pay again and again, others never."
)
EXPLAINED = (
    "Agreement: share of tokens, weighted by how far they moved in both pairs, whose losses moved the same way; by "
    "chance: with independent signs. An excess above 0: the same tokens keep gaining or keep paying; below 0: they "
    "take turns. Pairs that share a checkpoint lean below 0 by themselves, because chance fluctuations of that "
    "checkpoint enter both with opposite signs."
)

EXCESS, SHARE = n.Form("", scale=100.0), n.Form("", places=1, scale=100.0)


def absent(report: Report) -> str | None:
    """For one run with at least two pairs of checkpoints."""
    why = absent_of_several(report)
    if why is not None:
        return why
    return None if _measured(report).persistence or _measured(report).worse_often else ""


def _measured(report: Report) -> StoreInterference:
    return findings_of(report).found


def answer(report: Report) -> Iterator[str]:
    """How many tokens got worse again and again; without enough pairs for that, the agreement of the last two."""
    measured = _measured(report)
    if measured.worse_often:
        yield words.keep_paying(measured.worse_often)
    elif measured.persistence:
        last = measured.persistence[-1]
        excess = last.found.estimate("excess")
        written = " ".join(filter(None, n.written(excess.value, excess.interval, EXCESS)))
        yield (
            f"Signs of changes over steps {words.arrow(last.first)} and {words.arrow(last.second)} agree {written} % "
            f"points more than independent signs would (N = {n.count(last.found.N)} tokens)."
        )


def sentences(report: Report) -> Iterator[str]:
    """How many tokens keep paying, how the table is read, and why intervals are missing."""
    yield from answer(report)
    rows = _measured(report).persistence
    if rows:
        yield EXPLAINED
    if reasons := sorted({row.found.interval_reason for row in rows if row.found.interval_reason}):
        yield f"No interval: {'; '.join(reasons)}."


def tables(report: Report) -> Iterator[Table]:
    """Agreement of signs between pairs, beside what independent signs would give."""
    rows = _measured(report).persistence
    if not rows:
        return
    columns = (
        Column("first", "Steps"),
        Column("second", "and then"),
        Column("shares_checkpoint", "Shared", "checkpoint"),
        Column("agreement", "Agree", "% of movement", SHARE),
        Column("expected", "By chance", "% of movement", SHARE),
        Column("excess", "Excess", "% points", EXCESS),
        Column("N", "N", "tokens"),
    )
    yield Table("", "Agreement of signs between pairs of checkpoints", columns, tuple(map(_row, rows)))


def _row(row: Persistence) -> tuple[Value, ...]:
    agreement = row.found
    return (
        words.arrow(row.first),
        words.arrow(row.second),
        row.shares_checkpoint,
        agreement.agreement,
        agreement.expected,
        agreement.estimate("excess"),
        agreement.N,
    )


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """Agreement against step, and how often tokens got worse."""
    measured = _measured(report)
    with d.style():
        fig, (left, right) = d.panels(2, layout, height=2.6, columns=2)
        _agreement(left, measured)
        _times(right, measured.worse_often)
        colour = d.SERIES[0]
        handles = [
            d.entry("no checkpoint in common", marker="o", color=colour),
            d.entry("one checkpoint in common", marker="o", color=colour, markerfacecolor="none"),
            d.entry("tokens", color=colour, linewidth=6, alpha=0.45),
            d.entry("independent signs", marker="_", markersize=11, color=d.INK),
        ]
        d.legend_below(fig, handles, layout)
    return fig


def _agreement(ax: "d.Axes", measured: StoreInterference) -> None:
    rows = [row for row in measured.persistence if math.isfinite(row.found.excess)]
    if not rows:
        return d.say_empty(ax, "no two pairs of checkpoints to compare")
    ax.axhline(0, color=d.MUTED, linewidth=0.8)
    for row in rows:
        excess, x = row.found.estimate("excess").scaled(100), float(row.second[0])
        if excess.interval:
            ax.plot([x, x], excess.interval, color=d.SERIES[0], linewidth=1.2)
        ax.plot(
            x, excess.value, "o", color=d.SERIES[0], markerfacecolor="none" if row.shares_checkpoint else d.SERIES[0]
        )
    d.log_axis(ax, "x", [float(row.second[0]) for row in rows], pad=1.25)
    ax.set_xlabel("first step of the later pair")
    ax.set_ylabel("agreement over chance (% points)")
    return None


def _times(ax: "d.Axes", worse_often: WorseOften | None) -> None:
    if worse_often is None:
        return d.say_empty(ax, "fewer than two successive pairs of the same tokens")
    times = range(len(worse_often.times))
    ax.bar(times, [100 * share for share in worse_often.times], 0.8, color=d.SERIES[0], alpha=0.45, linewidth=0)
    ax.plot(times, [100 * share for share in worse_often.times_expected], "_", color=d.INK, markersize=14)
    ax.set_xticks(times)
    ax.grid(False, axis="x")
    ax.set_xlabel(f"pairs in which the token got worse, of {len(worse_often.pairs)}")
    ax.set_ylabel(f"% of N = {worse_often.N:,} tokens")
    return None


alt = with_sentences(
    "Agreement of signs between pairs of checkpoints over chance, and how often tokens got worse.", sentences
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each two pairs that were compared."""
    return [_numbers(row) for row in _measured(report).persistence]


def _numbers(row: Persistence) -> dict[str, Any]:
    measured = row.found
    low, high = measured.intervals.get("excess", (None, None))
    return {
        "from_step": row.first[0],
        "to_step": row.first[1],
        "later_from_step": row.second[0],
        "later_to_step": row.second[1],
        "shares_checkpoint": row.shares_checkpoint,
        "agreement": measured.agreement,
        "expected": measured.expected,
        "excess": measured.excess,
        "excess_low": low,
        "excess_high": high,
        "N": measured.N,
        "n_units": measured.n_units,
        "no_interval": measured.interval_reason or "",
    }
