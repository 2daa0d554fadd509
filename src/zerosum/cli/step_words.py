"""`zerosum step` on a terminal: means over batches, each batch, and how the step was taken."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zerosum.cli.terminal import estimate, labelled, plain_table, screen
from zerosum.show.numbers import count, decimals, number, percent

if TYPE_CHECKING:
    from rich.table import Table

    from zerosum.estimate import Estimate
    from zerosum.interference.labelled import Changes
    from zerosum.show.steps import StepReport

WIDE = 110  # columns of a terminal from which an interval stands on one line
NAMES = {"batch": "training batch", "heldout": "held-out"}

LEGEND = (
    "D: share of all movement of the N losses of one step that cancels. chance: D with random signs, of each token "
    "above, of each {unit} below; excess: D minus the latter. M: mean size of a change, ΔL: change of the mean loss, "
    "nats per token. worse: share of all movement that raises a loss. {brackets}"
)


def show(report: "StepReport") -> None:
    """Print everything of one checkpoint."""
    from rich.text import Text

    console = screen()
    wide = console.width >= WIDE
    console.print(_means(report, wide))
    console.print(Text(LEGEND.format(unit=_units(report), brackets=_brackets(report)), style="dim"))
    console.print(labelled(_sentences(report)))
    if len(report.batches) > 1:
        console.print(Text("\nEach batch", style="bold"))
        console.print(_batches(report))


def _units(report: "StepReport") -> str:
    units = {one.units for batch in report.batches for one in batch.changes.values()}
    return " or ".join(sorted(units))


def _brackets(report: "StepReport") -> str:
    n = len(report.batches)
    if n == 1:
        return f"[brackets]: 95 % intervals over {_units(report)}s of the one batch."
    return (
        f"Means over {n} batches. [brackets]: 95 % t-intervals over these {n}: what the choice of the batch changes; "
        "the held-out tokens are the same for all."
    )


def _means(report: "StepReport", wide: bool) -> "Table":
    from rich.text import Text

    table = plain_table("tokens", "D", "chance", "excess", "M\nnats", "ΔL\nnats", "worse\n%", "N")
    for split, name in NAMES.items():
        found = {key: _value(report, key, split) for key in ("D", "M", "delta_L", "harmful_share")}
        chance = [report.mean(key, split).value for key in ("null", "null_unit", "excess")]
        worse, ends = found["harmful_share"]
        n = report.N(split)
        table.add_row(
            Text(name),
            estimate(*found["D"], wide),
            Text(f"{number(chance[0], 3)}\n{number(chance[1], 3)}"),
            Text(number(chance[2], 3)),
            estimate(*found["M"], wide),
            estimate(*found["delta_L"], wide),
            estimate(100 * worse, (100 * ends[0], 100 * ends[1]) if ends else None, wide),
            Text(count(n[0]) if len(set(n)) == 1 else f"{count(min(n))} to\n{count(max(n))}"),
        )
    return table


def _value(report: "StepReport", name: str, split: str) -> tuple[float, tuple[float, float] | None]:
    """Mean over batches with its interval; of a single batch, that over its units."""
    if len(report.batches) > 1:
        mean: Estimate = report.mean(name, split)
        return mean.value, mean.interval
    measured = report.batches[0].changes[split].measured
    return getattr(measured, name), getattr(measured.interval, name) if measured.interval else None


def _sentences(report: "StepReport") -> Iterator[tuple[str, str]]:
    for split, name in NAMES.items():
        worse, ends = _value(report, "harmful_share", split)
        change, _ = _value(report, "delta_L", split)
        verb = "fell" if change <= 0 else "rose"
        yield (
            "says" if split == "batch" else "",
            f"{name[0].upper()}{name[1:]}: the mean loss {verb} by {number(abs(change), decimals(change))} nats, and "
            f"{percent(worse, ends)} of all movement made tokens worse.",
        )
    if len({report.N(split) for split in NAMES}) > 1:
        yield (
            "N differs",
            "D grows with N by chance alone: read each row against its own chance, not against the other.",
        )
    if len(report.batches) == 1:
        reasons = {one.measured.interval_reason for one in report.batches[0].changes.values()} - {None}
        yield from (("no interval", str(why)) for why in sorted(map(str, reasons)))
    yield "step", f"from step {count(report.step)}, {_optimizer(report)}"
    yield (
        "",
        (
            f"{count(len(report.batches))} × {count(len(report.batches[0].sequences))} sequences of up to "
            f"{count(report.sequence_length)} tokens, float32, nothing dropped out; the checkpoint is only read"
        ),
    )
    for note in report.notes:
        yield "note", f"{note}."


def _optimizer(report: "StepReport") -> str:
    given = report.settings
    numbers = ", ".join(f"{name} {given[name]:g}" for name in given if name not in ("name", "state", "clip"))
    clip = "no clipping" if given["clip"] is None else f"gradient norm at most {given['clip']:g}"
    return f"{given['name']} ({given['state'] or 'no saved state'}): {numbers}; {clip}"


def _batches(report: "StepReport") -> "Table":
    from rich.text import Text

    table = plain_table("batch", "loss\nnats", "gradient\nnorm", "D\nbatch", "ΔL\nbatch", "D\nheld-out", "ΔL\nheld-out")
    for k, one in enumerate(report.batches):
        cells = [number(one.changes["batch"].loss, 4), number(one.grad_norm, decimals(one.grad_norm))]
        for split in NAMES:
            found: Changes = one.changes[split]
            change = found.measured.delta_L
            cells += [number(found.measured.D, 3), number(change, decimals(change))]
        table.add_row(count(k), *map(Text, cells))
    return table
