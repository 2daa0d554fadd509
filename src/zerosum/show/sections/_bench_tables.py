"""Tables of a bench: arms, every difference, slopes over sizes, and notes."""

import math
from collections.abc import Iterator

from zerosum.bench.answer_record import ArmAnswer, BaselineAnswer, BenchAnswer, SizeAnswer
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections import _bench as b
from zerosum.show.table import Column, Table, Text, Value


def tables(report: Report) -> Iterator[Table]:
    """Arms; every difference; slopes over sizes; notes."""
    bench = b.record(report)
    yield _arms(bench)
    yield _differences(bench)
    if bench.over_sizes:
        columns = (
            Column("arm"),
            Column("gain_slope", "change of the difference", "nats per e-fold of N", b.SIGNED, interval=True),
            Column("rate_slope", "slope of log best rate", "per log width", b.SIGNED, interval=True),
        )
        rows = tuple((one.name, one.gain, one.rate) for one in bench.over_sizes)
        yield Table("bench-sizes", "What size does", columns, rows, "Brackets: 95 % intervals.")
    notes = tuple(
        (at, arm, Text(reason.code), Text(printable(reason.message, 400)))
        for at, arm, reason in [
            *(
                (size.result.size.name, arm.name, reason)
                for size in bench.sizes
                for arm in size.arms
                for reason in arm.reasons
            ),
            *((size.result.size.name, "the bench", reason) for size in bench.sizes for reason in size.reasons),
        ]
    )
    if notes:
        yield Table(
            "bench-notes", "To keep in mind", (Column("size"), Column("arm"), Column("code"), Column("note")), notes
        )


def _arms(bench: BenchAnswer) -> Table:
    columns = (
        Column("size"),
        Column("arm"),
        Column("verdict"),
        Column("loss", "difference in loss", "nats per token", b.SIGNED, interval=True),
        Column("p"),
        Column("n"),
        Column("correlation"),
        Column("speed_up", "speed-up", interval=True),
        Column("best_lr", "best rate"),
        Column("rate_sensitivity", "rate sensitivity", "nats per token"),
        Column("tokens", unit="millions a run"),
        Column("flops", "FLOPs", "a run"),
        Column("seconds", unit="a run"),
        Column("peak_memory", "peak memory", "MB"),
        Column("settings", "differs in"),
    )
    rows = tuple(_arm(arm, size) for size in bench.sizes for arm in size.arms)
    baselines = tuple(_baseline(size) for size in bench.sizes)
    legend = (
        "Arm minus baseline, held-out loss after the cooldown; brackets: 95 % intervals over paired seeds; p holds for "
        "all arms together. Speed-up: tokens that the baseline needs for the loss of the arm, over those of the arm."
    )
    return Table("bench", "Arms against the baseline", columns, (*baselines, *rows), legend)


def _baseline(size: SizeAnswer) -> tuple[Value, ...]:
    answer = size.baseline
    name = (size.result.size.name, answer.result.name, "baseline")
    runs = len(answer.result.runs)
    return (*name, None, None, runs, None, None, *_tuning_and_cost(answer.tuning.best_lr, answer), "")


def _arm(arm: ArmAnswer, size: SizeAnswer) -> tuple[Value, ...]:
    loss = arm.differences["loss"]
    settings = ", ".join(f"{name}={value}" for name, value in arm.result.settings.items())
    if arm.verdict is None:
        return (size.result.size.name, arm.name, "no competitor", *[None] * 11, printable(settings, 200))
    return (
        *(size.result.size.name, arm.name, b.verdict(arm)),
        *(loss.mean, Text(b.p_value(loss.p)), loss.n, loss.correlation, arm.speed_up.multiple),
        *_tuning_and_cost(arm.tuning.best_lr, arm),
        printable(settings, 200),
    )


def _tuning_and_cost(best_lr: float, answer: ArmAnswer | BaselineAnswer) -> tuple[Value, ...]:
    cost = answer.cost
    rate = Text(f"{best_lr:.3g}" if math.isfinite(best_lr) else "—")
    numbers = (cost["tokens"] / 1e6, cost["flops"], cost["seconds"], cost["peak_memory"] / 1e6)
    return (rate, answer.tuning.sensitivity, *numbers)


def _differences(bench: BenchAnswer) -> Table:
    columns = (
        Column("size"),
        Column("arm"),
        Column("measure"),
        Column("difference", form=b.SIGNED, interval=True),
        Column("unit"),
        Column("p"),
        Column("n"),
        Column("censored"),
        Column("diverged"),
        Column("correlation", on=("csv", "json")),
    )
    rows = tuple(
        (
            size.result.size.name,
            arm.name,
            name,
            one.mean,
            one.mean.unit,
            one.p,
            one.n,
            one.n_censored,
            one.n_diverged,
            one.correlation,
        )
        for size in bench.sizes
        for arm in b.trained(size)
        for name, one in arm.differences.items()
    )
    legend = (
        "Brackets: 95 % intervals over paired seeds. All but the loss are exploratory. loss_by_L_d, loss_by_t_d and "
        "loss_by_r_d split the difference of the lines after the break. Censored: pairs without a value, left out."
    )
    return Table("bench-differences", "Every measure", columns, rows, legend)
