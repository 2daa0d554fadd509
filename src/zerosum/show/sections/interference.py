"""Section: how much of all loss movement between checkpoints cancels, in one run or side by side."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.interference.labelled import PairInterference, StoreFindings
from zerosum.show import changes
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _interference_words as words
from zerosum.show.sections._interference_tables import pair_rows, script_tables
from zerosum.show.sections._single_run import spread_evenly
from zerosum.show.table import PEOPLE, Column, Medium, Table, Text, Value
from zerosum.show.words import span

TITLE = "How much cancels"
PLACE = 30
HOW_TO_READ = (
    "Each point is a pair of checkpoints, drawn at the earlier step. D is the share of all movement in single tokens' "
    "losses that cancels: 0 when every token moves the same way, 1 when some lose all that others gain. M is the "
    "movement itself: how far the average token's loss moved, in either direction. R is the net ratio, negative while "
    "the mean loss falls; D = 1 − |R|. The harmful share is how much of all movement made tokens worse; at one half "
    "nothing is gained. Bands are 95 % intervals over whole documents or sequences. The grey lines are what D would "
    "be if each token, or each whole unit, moved up or down by chance. Short bars on the axis of D mark t_d of each "
    "run, where its loss bends."
)
QUANTITIES = {
    "D": "destructive interference D",
    "M": "movement M (nats per token)",
    "R": "net ratio R",
    "harmful_share": "harmful share of movement",
}
FORMULAS = {
    "R, D and the harmful share": (
        "With x the change of each token’s loss: <code>R = Σ x / Σ |x|</code>, <code>D = 1 − |R|</code>. The harmful "
        "share of all movement, <code>Σ max(x, 0) / Σ |x| = (1 + R)/2</code>, is D/2 while the loss falls and 1 − D/2 "
        "while it rises."
    ),
    "M and delta_L": ("<code>M = mean |x|</code> and <code>delta_L = mean x = M R</code>, in nats per token."),
    "The nulls and the excess": (
        "N independent changes with random signs already give D near 1, nearer the larger N is. <b>null</b>: D with a "
        "random sign for each token. <b>null_unit</b>: D with a random sign for the net change of each whole unit. "
        "<b>excess</b> is D − null_unit, negative where less cancels than by chance. D of different N cannot be "
        "compared."
    ),
    "Intervals of D, M and R": (
        "Bootstrap-t over whole documents or sequences, since tokens of one text are not independent; the interval of "
        "R is folded into that of D."
    ),
}
ANSWERED = 4  # pairs in the first answer on a terminal
Row = tuple[Value, ...]
Measured = list[tuple[str, StoreFindings]]


def absent(report: Report) -> str | None:
    """Without a store of per-token losses there is nothing to show; the report says how to measure them."""
    return None if _measured(report) else ""


def _measured(report: Report) -> Measured:
    return [(label, findings) for label, findings in report.each(StoreFindings) if findings.found.pairs]


def headline(report: Report) -> str:
    """D of the last pair; of several runs the range of D over the first pairs and the last ones."""
    rows = [findings for _, findings in _measured(report)]
    if len(rows) == 1:
        store = rows[0].found
        return words.cancelled(store.last) if store.sound else words.excluded(store)
    first, last = ([pair.measured.D for pair in pairs] for pairs in zip(*map(_ends, rows), strict=True))
    return (
        f"Of all movement in the losses of single tokens, D\xa0=\xa0{span(first, form=n.D)} cancels over the first "
        f"pair of checkpoints and {span(last, form=n.D)} over the last, in {n.count(len(rows))} runs."
    )


def _ends(findings: StoreFindings) -> tuple[PairInterference, PairInterference]:
    pairs = _pairs(findings)
    return pairs[0], pairs[-1]


def _pairs(findings: StoreFindings) -> list[PairInterference]:
    """The pairs that are drawn and summed up: the sound ones where there are any, in order of their steps."""
    return sorted(findings.found.sound or findings.found.pairs, key=lambda pair: pair.steps)


def sentences(report: Report) -> Iterator[str]:
    """What bears on reading D, run by run."""
    rows = _measured(report)
    if len(rows) == 1:
        ((_, findings),) = rows
        about = (*_in_short(findings), *_limits(findings))
        yield from filter(None, about)
    else:
        yield from (f"{label}: {' '.join(filter(None, _in_short(findings)))}" for label, findings in rows)


def _in_short(findings: StoreFindings) -> Iterator[str]:
    store = findings.found
    if store.sound:
        yield words.harm(store.last)
        yield words.first_to_last(store)
        yield words.against_chance(store.last)
    yield words.excluded(store)
    yield from (_sentence(problem.sentence) for problem in store.problems)


def _limits(findings: StoreFindings) -> Iterator[str]:
    """What limits the numbers of one run, and how they were made."""
    store = findings.found
    yield words.different_N(store.pairs)
    yield words.left_out(store.pairs)
    yield words.noise(_pairs(findings))
    yield words.unpaired(store)
    yield words.methods(store.last)


def _sentence(text: str) -> str:
    return f"Problem: {text.rstrip('. ')}."


def answer(report: Report) -> Iterator[Table | str]:
    """A few pairs, evenly spread from the first to the last; the last one of each run where there are several."""
    rows = _measured(report)
    if len(rows) == 1:
        ((_, findings),) = rows
        pairs = spread_evenly(findings.found.pairs, ANSWERED)
        lines = [(_steps(pair), *_short(pair)) for pair in pairs]
    else:
        lines = [(label, *_short(findings.found.last)) for label, findings in rows]
    hidden = len(findings.found.pairs) - len(lines) if len(rows) == 1 else 0
    yield Table("", "", _answer_columns(len(rows) > 1), tuple(lines), legend=_legend(hidden, _units(rows)))
    if len(rows) == 1 and not rows[0][1].groups:
        yield words.between(rows[0][1].last.between)
    for label, findings in rows:
        about = f"{label}: " if len(rows) > 1 else ""
        if findings.found.sound and (text := words.excluded(findings.found)):
            yield f"{about}{text}"
        yield from (f"{about}{_sentence(problem.sentence)}" for problem in findings.found.problems)


def _units(rows: Measured) -> str:
    return " or ".join(sorted({findings.last.units for _, findings in rows}))


def _legend(hidden: int, unit: str) -> str:
    more = f" {n.count(hidden)} more pairs: --details." if hidden > 0 else ""
    return (
        f"D: share of all movement that cancels. chance: D with a random sign for each {unit}. M: mean size of a "
        f"change, nats per token. worse: share of movement that raises a loss.{more}"
    )


def _answer_columns(several: bool) -> tuple[Column, ...]:
    heads = ("run" if several else "steps", "D", "chance", "M", "worse", "N")
    return tuple(Column(head, on=("terminal",)) for head in heads)


def _short(pair: PairInterference) -> Row:
    measured = pair.measured
    D, M = measured.estimate("D"), measured.estimate("M")
    places = n.decimals(D.value, D.interval, n.D)
    return (
        Text(" ".join(filter(None, n.written(D.value, D.interval, n.D)))),
        Text(n.number(measured.null_unit, min(places, 3))),
        Text(n.written(M.value, M.interval, n.M)[0]),
        Text(n.percent(measured.harmful_share)),
        measured.N,
    )


def _steps(pair: PairInterference) -> Text:
    return Text(f"{words.steps(pair)}{' *' if pair.problem else ''}", note=pair.problem or "")


def tables(report: Report) -> Iterator[Table]:
    """Every pair of checkpoints of every run with N, nulls, intervals and noise floor."""
    several = len(_measured(report)) > 1
    rows = [
        (*((label,) if several else ()), *_row(pair))
        for label, findings in _measured(report)
        for pair in findings.found.pairs
    ]
    columns = (*((Column("run", "Run"),) if several else ()), *_columns(_units(_measured(report))))
    yield Table("pairs", "Every pair of checkpoints", columns, tuple(rows)).with_csv(pair_rows(report))
    yield from script_tables(report)


def _columns(unit: str) -> tuple[Column, ...]:
    short = PEOPLE
    wide: tuple[Medium, ...] = ("page", "latex")
    return (
        Column("steps", "Steps", on=short),
        Column("N", "N", "tokens", on=short),
        Column("D", "D", form=n.D, on=short),
        Column("M", "M", "nats per token", form=n.M, on=short),
        Column("R", "R", "net ratio", form=n.R, on=wide),
        Column("delta_L", "delta_L", "nats per token", form=n.DELTA_L, on=short),
        Column("harmful_share", "Harmful share", form=n.SHARE, on=wide),
        Column("null", "null", "D, a sign per token", form=n.D, on=wide),
        Column("null_unit", "null_unit", f"D, a sign per {unit}", form=n.D, on=wide),
        Column("chance", "by chance", "token, unit", on=("terminal",)),
        Column("excess", "excess", "D − null_unit", form=n.D, on=short),
        Column("noise_floor", "Noise floor", "largest D by differences of this size", on=wide),
    )


def _row(pair: PairInterference) -> Row:
    measured, noise = pair.measured, pair.noise_floor
    lost = f"{n.count(measured.left_out)} left out" if measured.left_out else ""
    floor = Text("—", note="not measured") if noise.reason else Text(f"{noise.D:.2g}", note=f"M {noise.M:.2g} nats")
    nulls = Text(n.number(measured.null, 3), n.number(measured.null_unit, 3))
    return (
        _steps(pair),
        Text(n.count(measured.N), note=lost),
        *(measured.estimate(name) for name in ("D", "M", "R", "delta_L", "harmful_share")),
        *(Text(n.number(value, 3)) for value in (measured.null, measured.null_unit)),
        nulls,
        Text(n.number(measured.excess, 3)),
        floor,
    )


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each quantity, one curve for each run."""
    rows = _measured(report)
    with d.style():
        looks = {label: d.looks_of(report)[label] for label, _ in rows}
        fig, axes = d.panels(4, layout, height=2.55, columns=2)
        for ax, quantity in zip(axes, QUANTITIES, strict=True):
            _panel(ax, rows, looks, quantity)
        d.mark_breaks(axes[0], changes.breaks(report), looks)
        counts = sorted({pair.measured.N for _, findings in rows for pair in _pairs(findings)})
        if len(counts) > 1:
            d.note_above(fig, "N differs: read each D against its own nulls, not against other D.", layout)
        d.legend_below(fig, _handles(rows, looks, counts), layout)
    return fig


def _handles(rows: Measured, looks: "dict[str, d.RunStyle]", counts: list[int]) -> list[Any]:
    many = " to ".join(n.count(value) for value in dict.fromkeys((counts[0], counts[-1])))
    handles = d.run_handles(list(looks.values()))
    if len(rows) == 1:
        (look,) = looks.values()
        handles = [d.entry(f"this run, N = {many} tokens", color=look.colour, marker=look.marker, linestyle=look.line)]
    return [*handles, *d.null_handles(_units(rows)), d.entry("no net change", color=d.MUTED, linewidth=0.8)]


def _panel(ax: "d.Axes", rows: Measured, looks: "dict[str, d.RunStyle]", quantity: str) -> None:
    steps: list[float] = []
    values: list[float] = []
    for label, findings in rows:
        pairs = _pairs(findings)
        own = [float(pair.from_step) for pair in pairs]
        values += d.series(ax, own, [pair.measured for pair in pairs], looks[label], quantity)
        steps += own
    d.log_axis(ax, "x", steps, pad=1.25)
    ax.set_xlabel("earlier step t of the pair")
    ax.set_ylabel(QUANTITIES[quantity])
    if quantity == "M":
        d.log_axis(ax, "y", values, pad=1.3)
        return
    even = {"R": 0.0, "harmful_share": 0.5}.get(quantity)
    if even is not None:
        ax.axhline(even, color=d.MUTED, linewidth=0.8, zorder=1)
    low = -1.04 if quantity == "R" else -0.02
    ax.set_ylim(low, 1.04 if quantity != "R" or max(values) > 0.3 else 0.4)


alt = with_sentences("D, M, R and the harmful share of each pair of checkpoints against step.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each pair with N, nulls, intervals and the noise floor; the run first where there are several."""
    several = len(_measured(report)) > 1
    return [
        ({"run": label} if several else {})
        | {"from_step": pair.from_step, "to_step": pair.to_step}
        | d.interference_columns(pair.measured)
        | {"problem": pair.problem, "unit": pair.units, "left_out": pair.measured.left_out}
        | {"noise_floor": _known(pair.noise_floor.M), "noise_floor_D": _known(pair.noise_floor.D)}
        for label, findings in _measured(report)
        for pair in findings.found.pairs
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
