"""Real optimizer steps from one checkpoint: what they do to the tokens of their batch and to held-out tokens."""

from collections.abc import Iterator, Sequence
from typing import Any

from zerosum.interference.labelled import SPLITS, CheckpointSteps, Split
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.sections import _interference_words as words
from zerosum.show.table import PEOPLE, Column, Table, Text, Value, with_ends

TITLE = "Real optimizer steps from a checkpoint"
PLACE = 35
HOW_TO_READ = (
    "D is the share of all movement in the losses that cancels: one point for each batch, with the 95 % interval over "
    "its sequences or documents; a line for the mean over batches. Grey marks are D with random signs: a dot with one "
    "sign for each token, a dash with one for each sequence or document. D grows with N by chance alone: compare each "
    "point with its own grey marks."
)
NAMES: dict[Split, str] = {"batch": "training batch", "heldout": "held-out"}
LEGEND = (
    "D: share of all movement of the N losses that cancels. chance: D with random signs, of each token above, of each "
    "{unit} below; excess: D minus the latter. M: mean size of a change. worse: share of movement that raises a loss. "
    "{brackets}"
)
SHORT_LEGEND = (
    "chance: D with random signs, of each token above, of each {unit} below; excess: D minus the latter. {brackets}"
)
FORMULAS = {
    "D of a step": """With x the change of each token's loss, <code>D = 1 − |Σ x| / Σ |x|</code>; M is the mean of
|x|, ΔL the mean of x, and <code>Σ max(x, 0) / Σ |x|</code> of all movement makes tokens worse.""",
}
NUMBERS = ("D", "M", "delta_L", "harmful_share")
MEANS = (*NUMBERS, "R", "null", "null_unit", "excess")
Row = dict[str, Any]
COLUMNS = (
    Column("tokens", on=PEOPLE),
    Column("D", form=n.D, on=PEOPLE),
    Column("chance", on=PEOPLE),
    Column("excess", form=n.D, on=PEOPLE),
    Column("M", unit="nats", form=n.M, on=PEOPLE),
    Column("delta_L", "ΔL", "nats", n.DELTA_L, on=PEOPLE, tex=r"$\Delta L$"),
    Column("harmful_share", "worse", "%", n.PERCENT, on=PEOPLE),
    Column("N", on=PEOPLE),
)


def absent(report: Report) -> str | None:
    """Only `zerosum step` takes such steps."""
    return None if report.only(CheckpointSteps) else ""


def _measured(report: Report) -> CheckpointSteps:
    steps = report.only(CheckpointSteps)
    if steps is None:
        raise ValueError("the section on steps was asked about a report without them")
    return steps


def headline(report: Report) -> str:
    """The training batch: change of the mean loss, and share of movement that made tokens worse."""
    return _change(_measured(report), "batch")


def answer(report: Report) -> Iterator[Table | str]:
    """Means over batches, held-out tokens in a sentence, and what was assumed."""
    steps = _measured(report)
    yield _short(steps)
    yield _change(steps, "heldout")
    yield words.between(steps.batches[0].changes["heldout"].between)
    yield from _caution(steps)
    yield f"From step {n.count(steps.step) if steps.step is not None else 'unknown'}, {_optimizer(steps)}."
    yield from _notes(steps)


def sentences(report: Report) -> Iterator[str]:
    """What the steps changed, and how they were taken."""
    steps = _measured(report)
    yield from (_change(steps, split) for split in SPLITS)
    yield from _caution(steps)
    yield f"From step {n.count(steps.step) if steps.step is not None else 'unknown'}, {_optimizer(steps)}."
    yield (
        f"{n.count(len(steps.batches))} × {n.count(len(steps.batches[0].sequences))} sequences of up to "
        f"{n.count(steps.sequence_length)} tokens, float32, no dropout; the checkpoint is only read."
    )
    yield from _notes(steps)


def tables(report: Report) -> Iterator[Table]:
    """Means over batches, and each batch."""
    steps = _measured(report)
    rows = [_mean_columns(steps, split) for split in SPLITS]
    yield _means(steps).with_csv(rows)
    yield _batches(steps)


def _change(steps: CheckpointSteps, split: Split) -> str:
    worse, change = steps.estimate("harmful_share", split), steps.estimate("delta_L", split).value
    name, verb = NAMES[split], "fell" if change <= 0 else "rose"
    return (
        f"{name[0].upper()}{name[1:]}: the mean loss {verb} by {n.number(abs(change), n.decimals(change))} nats, and "
        f"{n.percent(worse.value, worse.interval)} of all movement made tokens worse."
    )


def _caution(steps: CheckpointSteps) -> Iterator[str]:
    if len({steps.N(split) for split in SPLITS}) > 1:
        yield "D grows with N by chance alone: read each row against its own chance."
    if len(steps.batches) == 1:
        reasons = {changes.measured.interval_reason for changes in steps.batches[0].changes.values()} - {None}
        yield from (f"No interval: {reason}." for reason in sorted(map(str, reasons)))


def _optimizer(steps: CheckpointSteps) -> str:
    settings = steps.settings
    own = {name: value for name, value in settings.items() if name not in ("name", "state", "clip")}
    numbers = ", ".join(f"{name} {value if isinstance(value, str) else f'{value:g}'}" for name, value in own.items())
    clip = "no clipping" if settings["clip"] is None else f"gradient norm at most {settings['clip']:g}"
    return f"{settings['name']} ({settings['state'] or 'no saved state'}): {numbers}; {clip}"


def _notes(steps: CheckpointSteps) -> Iterator[str]:
    return (f"Note: {note}." for note in steps.notes)


def _means(steps: CheckpointSteps) -> Table:
    rows = tuple(_row(steps, split) for split in SPLITS)
    return Table("step_means", "Means over batches", COLUMNS, rows, _legend_of(LEGEND, steps))


def _short(steps: CheckpointSteps) -> Table:
    """Without the share that made tokens worse, which the sentences give."""
    shown = [k for k, column in enumerate(COLUMNS) if column.name != "harmful_share"]
    rows = tuple(tuple(row[k] for k in shown) for row in _means(steps).rows)
    return Table("", "", tuple(COLUMNS[k] for k in shown), rows, _legend_of(SHORT_LEGEND, steps))


def _legend_of(text: str, steps: CheckpointSteps) -> str:
    return text.format(unit=" or ".join(steps.units), brackets=_brackets(steps))


def _row(steps: CheckpointSteps, split: Split) -> tuple[Value, ...]:
    null, null_unit, excess = (steps.estimate(name, split).value for name in ("null", "null_unit", "excess"))
    N = steps.N(split)
    return (
        "batch" if split == "batch" else "held-out",
        steps.estimate("D", split),
        Text(n.number(null, 3), n.number(null_unit, 3)),
        excess,
        *(steps.estimate(name, split) for name in ("M", "delta_L", "harmful_share")),
        N[0] if len(set(N)) == 1 else Text(f"{n.count(min(N))} to", n.count(max(N))),
    )


def _counts(N: Sequence[int]) -> str:
    return " to ".join(dict.fromkeys(map(n.count, (min(N), max(N)))))


def _brackets(steps: CheckpointSteps) -> str:
    number = len(steps.batches)
    if number == 1:
        return f"[brackets]: 95 % intervals over {' or '.join(f'{unit}s' for unit in steps.units)} of the one batch."
    return f"Means over {number} batches, [brackets]: 95 % t-intervals over them; held-out tokens are the same for all."


def _batches(steps: CheckpointSteps) -> Table:
    """Both kinds of tokens side by side, one row for each batch."""
    heads = [
        Column("batch", on=PEOPLE),
        Column("loss", unit="nats", form=n.Form("loss", digits=4, places=4), on=PEOPLE),
        Column("grad_norm", "gradient", "norm", on=PEOPLE),
    ]
    for split in SPLITS:
        unit = "batch" if split == "batch" else "held-out"
        heads += [Column("D", "D", unit, n.Form("D", places=3), on=PEOPLE), Column("delta_L", "ΔL", unit, on=PEOPLE)]
    rows = []
    for number, batch in enumerate(steps.batches):
        row: list[Value] = [str(number), batch.changes["batch"].loss, batch.grad_norm]
        for split in SPLITS:
            measured = batch.changes[split].measured
            row += [measured.D, measured.delta_L]
        rows.append(tuple(row))
    return Table("step_batches", "Each batch", tuple(heads), tuple(rows))


def _mean_columns(steps: CheckpointSteps, split: Split) -> Row:
    row: Row = {"split": split, "n_batches": len(steps.batches)}
    row |= {"N_least": min(steps.N(split)), "N_most": max(steps.N(split))}
    for name in MEANS:
        row |= with_ends(name, steps.estimate(name, split))
    return row


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """D of each batch beside what it would be by chance: on the batch itself, and on held-out tokens."""
    steps = _measured(report)
    with d.style():
        fig, axes = d.panels(len(SPLITS), layout, height=2.8, columns=2, share=True)
        for k, (ax, split) in enumerate(zip(axes, SPLITS, strict=True)):
            _panel(ax, steps, split, d.SERIES[k])
        axes[0].set_ylim(0, 1.02)
        d.legend_below(fig, _legend(steps), layout)
    return fig


def _panel(ax: "d.Axes", steps: CheckpointSteps, split: Split, colour: str) -> None:
    numbers = range(len(steps.batches))
    measured = [batch.changes[split].measured for batch in steps.batches]
    mean = steps.mean("D", split)
    ax.axhline(mean.value, color=colour, linewidth=1, alpha=0.6)
    if mean.interval:
        ax.axhspan(*mean.interval, color=colour, alpha=0.12, linewidth=0)
    for number, batch in zip(numbers, measured, strict=True):
        if batch.interval:
            ax.plot([number, number], batch.interval.D, color=colour, zorder=2)
    ax.plot(numbers, [batch.D for batch in measured], "o", color=colour, zorder=3)
    ax.plot(numbers, [batch.null for batch in measured], ".", color=d.MUTED, zorder=2)
    ax.plot(numbers, [batch.null_unit for batch in measured], "_", color=d.MUTED, markersize=10, zorder=2)
    ax.set_xticks(list(numbers)[:: 1 + len(measured) // 12])
    ax.set_xlim(-0.6, len(measured) - 0.4)
    ax.set_title(f"{NAMES[split]} (N = {_counts(steps.N(split))})")
    ax.set_xlabel("batch")
    ax.set_ylabel("destructive interference D")


def _legend(steps: CheckpointSteps) -> "list[d.Line2D]":
    unit = " or ".join(steps.units)
    return [
        d.entry("D of one step", marker="o"),
        d.entry("mean over batches", linewidth=1),
        d.entry("random sign per token", marker=".", color=d.MUTED),
        d.entry(f"random sign per {unit}", marker="_", color=d.MUTED, markersize=10),
    ]


def alt(report: Report) -> str:
    """Alt text."""
    steps = _measured(report)
    means = []
    for split, name in NAMES.items():
        mean, chance = steps.estimate("D", split), steps.estimate("null_unit", split)
        means.append(f"{name} D {n.text(mean.value, mean.interval, n.D)}, by chance {n.number(chance.value, 3)}")
    return f"D of each of {n.counted(len(steps.batches), 'batch step')}, mean: {'; '.join(means)}."


def numbers(report: Report) -> list[Row]:
    """One row for each batch and kind of tokens, with N, nulls and intervals."""
    rows = []
    for number, batch in enumerate(_measured(report).batches):
        for split, changes in batch.changes.items():
            row: Row = {"batch": number, "split": split, "grad_norm": batch.grad_norm}
            row |= {"loss_before": changes.loss, "units": changes.units}
            rows.append(row | d.interference_columns(changes.measured))
    return rows
