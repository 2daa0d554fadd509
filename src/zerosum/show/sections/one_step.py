"""Section: how much cancels over single optimizer steps, on held-out tokens and on the batch of the step."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from zerosum.interference.labelled import OneStep, StoreFindings
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.table import Column, Table, Value
from zerosum.show.words import span

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "Single optimizer steps"
PLACE = 34
HOW_TO_READ = (
    "Loss changes over the one optimizer step after step t: on held-out text that the model never trains on, and on "
    "the very batch of that step. D is the share of all movement that cancels, M the movement of the average token. "
    "Bands are 95 % intervals; the grey lines are what D would be if each token, or each whole unit, moved up or down "
    "by chance. D of different N cannot be compared: read each curve against the nulls of its own panel."
)
SPLITS = {"heldout": "held-out text", "batch": "training batch"}
QUANTITIES = {"D": "destructive interference D", "M": "movement M (nats per token)"}


def absent(report: Report) -> str | None:
    """Only stores that were made while training have these losses."""
    return None if _measured(report) else ""


def _measured(report: Report) -> list[tuple[str, StoreFindings]]:
    return [(label, findings) for label, findings in report.each(StoreFindings) if findings.one_steps]


def _of(findings: StoreFindings, split: str) -> list[OneStep]:
    return [change for change in findings.one_steps if change.split == split]


def sentences(report: Report) -> Iterator[str]:
    """D over the last step that was measured."""
    for split, name in SPLITS.items():
        last = [rows[-1].measured for _, findings in _measured(report) if (rows := _of(findings, split))]
        if last:
            yield (
                f"Over the last optimizer step that was measured, D on the {name} is "
                f"{span([measured.D for measured in last], form=n.D)}, with "
                f"{span([measured.null_unit for measured in last], form=n.D)} by chance."
            )


def tables(report: Report) -> Iterator[Table]:
    """Every step with N, nulls and intervals."""
    columns = (
        Column("run", "Run"),
        Column("step", "Step"),
        Column("split", "Tokens"),
        Column("N", "N", "tokens"),
        Column("D", "D", form=n.D),
        Column("M", "M", "nats per token", form=n.M),
        Column("delta_L", "delta_L", "nats per token", form=n.DELTA_L),
        Column("null", "null", "D, a sign per token", form=n.D),
        Column("null_unit", "null_unit", "D, a sign per unit", form=n.D),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (
            label,
            change.step,
            SPLITS[change.split],
            change.measured.N,
            *(change.measured.estimate(name) for name in ("D", "M", "delta_L")),
            change.measured.null,
            change.measured.null_unit,
        )
        for label, findings in _measured(report)
        for change in findings.one_steps
    )
    yield Table("", "Every optimizer step that was measured", columns, rows)


def plot(report: Report, layout: "d.Layout" = "wide") -> "Figure":
    """D and M for each kind of tokens, one curve for each run."""
    rows = _measured(report)
    with d.style():
        looks = d.run_styles([run.name for run in report.runs if _has_steps(run)])
        fig, axes = d.panels(4, layout, height=2.55, columns=2)
        places = [(split, quantity) for split in SPLITS for quantity in QUANTITIES]
        for ax, (split, quantity) in zip(axes, places, strict=True):
            _panel(ax, [_of(findings, split) for _, findings in rows], looks, split, quantity)
        units = " or ".join(sorted({change.changes.units for _, findings in rows for change in findings.one_steps}))
        d.legend_below(fig, [*d.run_handles(looks), *d.null_handles(units)], layout)
    return fig


def _has_steps(run: Any) -> bool:
    findings = run.get(StoreFindings)
    return findings is not None and bool(findings.one_steps)


def _panel(
    ax: "Axes", rows: Sequence[Sequence[OneStep]], looks: "Sequence[d.RunStyle]", split: str, quantity: str
) -> None:
    counts = sorted({change.measured.N for changes in rows for change in changes})
    if not counts:
        return d.say_empty(ax, f"not measured on the {SPLITS[split]}")
    many = " to ".join(n.count(value) for value in dict.fromkeys((counts[0], counts[-1])))
    ax.set_title(f"{SPLITS[split]} (N = {many})")
    steps: list[float] = []
    values: list[float] = []
    for changes, look in zip(rows, looks, strict=True):
        own = [float(change.step) for change in changes]
        values += d.series(ax, own, [change.measured for change in changes], look, quantity)
        steps += own
    d.log_axis(ax, "x", steps, pad=1.25)
    ax.set_xlabel("step t")
    ax.set_ylabel(QUANTITIES[quantity])
    if quantity == "D":
        ax.set_ylim(-0.02, 1.04)
    else:
        d.log_axis(ax, "y", values, pad=1.3)
    return None


def alt(report: Report) -> str:
    """Alt text."""
    return f"D and M over single optimizer steps against step. {' '.join(sentences(report))}"


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each run, step and kind of tokens, with N, nulls and intervals."""
    return [
        {"run": label, "change": "t->t+1", "split": change.split}
        | {"from_step": change.step, "to_step": change.step + 1}
        | d.interference_columns(change.measured)
        for label, findings in _measured(report)
        for change in findings.one_steps
    ]
