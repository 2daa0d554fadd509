"""Destructive interference D and movement M over single optimizer steps, on held-out text and on the step's batch."""

from collections.abc import Iterator
from typing import Any

from zerosum.show import changes
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.table import Column, Table, Value

TITLE = "Single optimizer steps"
PLACE = 34
HOW_TO_READ = (
    "As above, but over the single optimizer step after t: on the left for text that the model never trains on, on the "
    "right for the very batch of that step. D is the share of all movement in single-token losses that cancels, M is "
    "how far the average token's loss moved, in either direction. Bands are 95 % intervals. The grey lines are what D "
    "would be if each token, or each whole text, moved up or down by chance. Short bars on the axis mark t_d of each "
    "run, where its loss bends."
)
FORMULAS = {
    "t → t+1": "Compares losses before and after one real optimizer step, on held-out tokens and on the batch of that "
    "step. The step is taken again from the checkpoint with the saved state of the optimizer.",
}


def absent(report: Report) -> str | None:
    return None if _kinds(report) else ""


def _kinds(report: Report) -> list[changes.Change]:
    return [kind for kind in changes.ONE_STEP if changes.of_report(report, kind)]


def sentences(report: Report) -> Iterator[str]:
    """The last step of each run on its batch and on held-out text; nothing where a run measured only one of them."""
    of_each = {kind.split: dict(changes.of_report(report, kind)) for kind in changes.ONE_STEP}
    for label, rows in of_each["batch"].items():
        if label in of_each["heldout"]:
            start, end, batch = rows[-1]
            held_out = of_each["heldout"][label][-1][2]
            yield (
                f"{printable(label)}, steps {n.count(start)} to {n.count(end)}: on its own batch the step changed the "
                f"mean loss by {_changed(batch.delta_L)} nats per token with D = {n.number(batch.D, 3)} "
                f"(N = {n.count(batch.N)}), on held-out text by {_changed(held_out.delta_L)} with "
                f"D = {n.number(held_out.D, 3)} (N = {n.count(held_out.N)})."
            )


def _changed(delta_L: float) -> str:
    return n.written(delta_L, None, n.Form("delta_L", signed=True, digits=2))[0]


def tables(report: Report) -> Iterator[Table]:
    """Every step with N, nulls and intervals."""
    columns = (
        Column("run"),
        Column("step"),
        Column("split", "tokens"),
        Column("N", unit="tokens"),
        Column("D", form=n.D),
        Column("M", unit="nats per token", form=n.M),
        Column("delta_L", unit="nats per token", form=n.DELTA_L),
        Column("null", unit="D, a sign per token", form=n.D),
        Column("null_unit", unit="D, a sign per text", form=n.D),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            *(label, start, kind.words.split(", ")[1], change.N),
            *(change.estimate(name) for name in ("D", "M", "delta_L")),
            *(change.null, change.null_unit),
        )
        for kind in changes.ONE_STEP
        for label, measured in changes.of_report(report, kind)
        for start, _, change in measured
    )
    yield Table("", "Every optimizer step that was measured", columns, rows)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D above and M below, one column for each kind of step."""
    kinds = _kinds(report)
    with d.style():
        fig, axes = d.panels(2 * len(kinds), layout, height=2.55, columns=len(kinds))
        across = layout != "narrow"
        panels = [(quantity, kind) for quantity in "DM" for kind in kinds]
        if not across:  # on phones M follows its own D
            panels = [(quantity, kind) for kind in kinds for quantity in "DM"]
        for ax, (quantity, kind) in zip(axes, panels, strict=True):
            _panel(ax, report, kind, quantity)
        if text := changes.different_N(report, *kinds):
            d.note_above(fig, text, layout)
        shown = {label for kind in kinds for label, _ in changes.of_report(report, kind)}
        looks = [look for label, look in d.looks_of(report).items() if label in shown]
        handles = d.run_handles(looks) if len(looks) > 1 else []
        handles += d.null_handles("text")
        if changes.breaks(report):
            handles.append(d.entry("t_d, where the loss bends", marker="|", markersize=8, markeredgewidth=2.2))
        d.legend_below(fig, handles, layout)
    return fig


def _panel(ax: "d.Axes", report: Report, kind: changes.Change, quantity: str) -> None:
    ax.set_title(changes.titled(report, kind))
    looks = d.looks_of(report)
    values: list[float] = []
    steps: list[float] = []
    for label, rows in changes.of_report(report, kind):
        at = [float(start) for start, _, _ in rows]
        steps += at
        values += d.series(ax, at, [change for *_, change in rows], looks[label], quantity)
    d.log_axis(ax, "x", steps, pad=1.25)
    d.mark_breaks(ax, changes.breaks(report), looks)
    ax.set_xlabel("step t")
    if quantity == "D":
        ax.set_ylim(-0.02, 1.04)
        ax.set_ylabel("destructive interference D")
    else:
        d.log_axis(ax, "y", values, pad=1.3)
        ax.set_ylabel("movement M (nats per token)")


alt = with_sentences("Destructive interference D and movement M of single optimizer steps, against step.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each run, kind of change and step, with N, nulls and intervals."""
    return [
        {"run": label, "change": kind.key, "split": kind.split, "from_step": start, "to_step": end}
        | d.interference_columns(change)
        for kind in changes.ONE_STEP
        for label, rows in changes.of_report(report, kind)
        for start, end, change in rows
    ]
