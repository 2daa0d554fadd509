"""What the live monitor measured while a run trained: D and M of held-out tokens against step, and the loss."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from zerosum.deceleration import Analysis
from zerosum.runs import LoggedStep, MonitorLog
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections._asked_of_monitor import asked_tables
from zerosum.show.sections._single_run import absent_of_several, record_of
from zerosum.show.table import CSV, PEOPLE, SCREEN, Column, Table, Text, Value

TITLE = "While it trained: the live monitor"
PLACE = 36
HOW_TO_READ = (
    "Held-out tokens were measured while the model trained. Circles: what one update changed. Squares: what changed "
    "since half as many steps. Left: D, the share of all movement in the losses that cancels, with 95 % intervals over "
    "sequences or documents; dashed, what D would be if the sign of each were random. Middle: M, the mean size of a "
    "change. Right: the loss of the held-out tokens, with the training losses and their fit where the log has them. A "
    "probe that shrinks to keep to the cost changes N, and D of different N cannot be compared."
)
FORMULAS = {
    "Live monitor": """At a scheduled step t: losses of held-out tokens before and after the update (span "one
update"), and before it against those at t/2 (span "t/2 to t"). D, M and chance are as for checkpoints; cost is the
monitor's time over that of training so far.""",
}
SPANS = {"step": "one update", "double": "t/2 to t"}
EVERY_SPAN = SPANS | {"batch": "own batch", "double_average": "average, t/2 to t"}
LOSSES = {"double_average": "loss_average", "batch": ""}
"""Names of the losses before a change, where they are not those of held-out tokens at the weights themselves."""
SHOWN = 3  # steps on a terminal
WARNINGS = 2  # on a terminal
LONGEST = 110  # characters of a warning
LOOKS = (("step", 0), ("double", 1))
REASONS = {"no-update": "the update changed no loss"}
SHORT_D, SHORT_M = n.Form("D", most=2), n.Form("M", digits=2)
HEADS = {"D": SHORT_D, "chance": SHORT_D, "M": SHORT_M}


def absent(report: Report) -> str | None:
    """Only runs that the monitor watched; of one run at a time."""
    return absent_of_several(report, MonitorLog)


def headline(report: Report) -> str:
    """D of the last update that was measured."""
    steps = record_of(report, MonitorLog).of("step")
    if not steps:
        return ""
    last = steps[-1]
    D, null, N = last.estimate("D"), last.estimate("null_unit"), last.N("step")
    if not D.known:
        why = REASONS.get(D.reason, printable(D.reason, 200))
        return f"Step {n.count(last.step)}: D of the update is not defined: {why}."
    chance = f" (by chance {n.number(null.value, 3)})" if null.known else ""
    tokens = f" N = {n.count(N)} held-out tokens." if N else ""
    return f"Step {n.count(last.step)}: D of the update is {n.text(D.value, D.interval, n.D)}{chance}.{tokens}"


def sentences(report: Report) -> Iterator[str]:
    """The last step of each span, what N was, the cost, and warnings."""
    log = record_of(report, MonitorLog)
    yield headline(report)
    if pairs := log.of("double"):
        D, M = pairs[-1].estimate("D", "double"), pairs[-1].estimate("M", "double")
        yield (
            f"Since half as many steps, at step {n.count(pairs[-1].step)}: D is {n.text(D.value, D.interval, n.D)}, "
            f"M {n.text(M.value, None, n.M)}."
        )
    counts = {N for step in log.of("step") if (N := step.N("step"))}
    if len(counts) > 1:
        yield (
            f"N went from {n.count(min(counts))} to {n.count(max(counts))} tokens to keep to the cost: "
            "compare D only at equal N."
        )
    yield from _cost(log)
    yield from _warnings(log)


def answer(report: Report) -> Iterator[Table | str]:
    """The last steps, the cost, and the last warnings."""
    log = record_of(report, MonitorLog)
    yield _short(log)
    yield from _cost(log)
    yield from (printable(warning, LONGEST) for warning in list(_warnings(log))[-WARNINGS:])


def tables(report: Report) -> Iterator[Table]:
    """Every step and span."""
    log = record_of(report, MonitorLog)
    rows = [(step, span) for step in log.steps for span in EVERY_SPAN if step in log.of(span)]
    columns = (
        Column("step", on=PEOPLE),
        Column("change over", on=PEOPLE),
        Column("D", form=n.D, interval=True, on=PEOPLE),
        Column("chance", form=n.D, on=PEOPLE),
        Column("M", unit="nats per token", form=n.M, on=PEOPLE),
        Column("delta_L", "ΔL", "nats per token", n.DELTA_L, on=PEOPLE, tex=r"$\Delta L$"),
        Column("harmful_share", "worse", "%", n.PERCENT, on=PEOPLE),
        Column("loss", "held-out loss", "nats per token", n.LOSS, on=PEOPLE),
        Column("N", on=PEOPLE),
    )
    numbers_of = ("D", "null_unit", "M", "delta_L", "harmful_share")
    cells = tuple(
        (
            n.count(step.step),
            EVERY_SPAN[span],
            *(step.estimate(name, span) for name in numbers_of),
            step.values.get(LOSSES.get(span, "loss"), math.nan),
            step.N(span),
        )
        for step, span in rows
    )
    legend = "chance: D with a random sign for each sequence or document."
    spans = {span for _, span in rows}
    legend += " own batch: tokens of the update's own batch." * ("batch" in spans)
    legend += " average: at averaged weights." * ("double_average" in spans)
    yield Table("while-training", "Every measured step", columns, cells, legend).with_csv(_every_row(log, EVERY_SPAN))
    yield from asked_tables(log)
    if log.warnings:
        warned: tuple[tuple[Value, ...], ...] = tuple((w.step, w.code, w.message) for w in log.warnings)
        heads = (Column("step"), Column("code"), Column("message", on=(*SCREEN, *CSV)))
        yield Table("warnings", "Warnings of the monitor", heads, warned)


def _short(log: MonitorLog) -> Table:
    """The last steps: one update, and t/2 to t, side by side."""
    steps = [step for step in log.steps if any(step in log.of(span) for span in SPANS)][-SHOWN:]
    columns = [Column("step"), Column("loss", form=n.LOSS)]
    for span in SPANS:
        columns += [Column(head, unit=SPANS[span] if head == "D" else "", form=form) for head, form in HEADS.items()]
    rows = tuple((n.count(step.step), step.values.get("loss", math.nan), *_cells(step)) for step in steps)
    legend = "D: share of movement that cancels; chance: random signs; M: mean size, nats."
    return Table("", "", (*columns, Column("N")), rows, legend)


def _cells(step: LoggedStep) -> Iterator[Value]:
    for span in SPANS:
        D = step.estimate("D", span)
        main, ends = n.written(D.value, D.interval, SHORT_D)
        yield Text(main, ends)
        yield step.estimate("null_unit", span).value
        yield step.estimate("M", span).value
    yield step.N("step") or step.N("double")


def _cost(log: MonitorLog) -> Iterator[str]:
    cost = log.latest("cost")
    if math.isfinite(cost):
        yield f"Cost of the monitor: {n.percent(cost)} of training time."


def _warnings(log: MonitorLog) -> Iterator[str]:
    for warning in log.warnings:
        yield f"Warning ({printable(warning.code, 40)}): {printable(warning.message, 1_000)}"
    unseen = log.n_warnings - len(log.warnings)
    if unseen > 0:
        yield f"{n.count(unseen)} warning{'s' * (unseen > 1)} of the monitor: the text is in the output of the job."


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D and chance, M, and the loss, against step."""
    log, analysis = record_of(report, MonitorLog), report.only(Analysis)
    with d.style():
        fig, (share, size, loss) = d.panels(3, layout, height=3.0)
        moved: list[float] = []
        for span, k in LOOKS:
            steps = log.of(span)
            look = d.RunStyle(d.SERIES[k], d.MARKERS[k], "-", None, 1.0)
            at = [step.step for step in steps]
            d.with_band(share, at, [step.estimate("D", span) for step in steps], look)
            chance = [step.estimate("null_unit", span).value for step in steps]
            share.plot(at, chance, color=look.colour, linestyle=d.UNIT_NULL, linewidth=1, zorder=1.5)
            d.with_band(size, at, [step.estimate("M", span) for step in steps], look)
            moved += [step.values[f"M_{span}"] for step in steps]
        share.set_ylim(-0.02, 1.04)
        share.set_title("destructive interference D (0 to 1)")
        size.set_title("size of a change, M (nats per token)")
        d.log_axis(size, "y", moved, pad=1.3)
        reached = _losses(loss, log, analysis)
        for ax in (share, size):
            d.log_axis(ax, "x", [step.step for step in log.steps], pad=1.25)
        d.log_axis(loss, "x", [*(step.step for step in log.steps), *reached[0]], pad=1.25)
        d.log_axis(loss, "y", reached[1], pad=1.1)
        loss.set_title("loss (nats per token)")
        for ax in (share, size, loss):
            ax.set_xlabel("step t")
        d.legend_below(fig, _legend(analysis), layout)
    return fig


def _losses(ax: "d.Axes", log: MonitorLog, analysis: Analysis | None) -> tuple[list[float], list[float]]:
    """Draw losses of held-out tokens and of training; the steps and losses that the axes have to reach."""
    held_out = [
        (step.step, step.values["loss"]) for step in log.steps if math.isfinite(step.values.get("loss", math.nan))
    ]
    steps, losses = [float(step) for step, _ in held_out], [loss for _, loss in held_out]
    if analysis:
        d.fit_on_curve(ax, analysis.fit.curve, analysis.fit, d.SERIES[2])
        rows = d.drawn_rows(analysis.fit.curve)
        steps += analysis.fit.curve.step[rows].tolist()
        losses += analysis.fit.curve.loss[rows].tolist()
    ax.plot(*zip(*held_out, strict=True), d.MARKERS[2], color=d.INK, markersize=5, zorder=6) if held_out else None
    return steps, losses


def _legend(analysis: Analysis | None) -> "list[d.Artist]":
    entries = [d.entry(SPANS[span], marker=d.MARKERS[k], color=d.SERIES[k]) for span, k in LOOKS]
    entries.append(d.entry("random sign per sequence or document", color=d.MUTED, linestyle=d.UNIT_NULL))
    entries.append(d.entry("loss of held-out tokens", marker=d.MARKERS[2], color=d.INK, linestyle=""))
    return [*entries, *(d.fit_handles(analysis.fit.has_break) if analysis else [])]


alt = with_sentences(
    "D and M of held-out tokens, and the loss, against step, as the live monitor logged them.", sentences
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each step and span that is drawn, with N and intervals."""
    return _every_row(record_of(report, MonitorLog), SPANS)


def _every_row(log: MonitorLog, spans: Iterable[str]) -> list[dict[str, Any]]:
    rows = []
    for step in log.steps:
        for span in (span for span in spans if step in log.of(span)):
            D = step.estimate("D", span)
            low, high = D.interval or (math.nan, math.nan)
            row: dict[str, Any] = {"step": step.step, "span": span, "D": D.value, "D_low": low, "D_high": high}
            row |= {name: step.estimate(name, span).value for name in ("null_unit", "M", "delta_L", "harmful_share")}
            rows.append(row | {"loss": step.values.get(LOSSES.get(span, "loss")), "N": step.N(span)})
    return rows
