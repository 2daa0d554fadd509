"""Tables of a bench: arms, their costs, every difference, slopes over sizes, and notes."""

import math
from collections.abc import Iterator

from zerosum.bench.answer_record import ArmAnswer, BaselineAnswer, BenchAnswer
from zerosum.bench.results import ArmResult
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections import _bench as b
from zerosum.show.table import Column, Table, Text, Value, with_ends


def tables(report: Report) -> Iterator[Table]:
    """Arms; their costs; every difference; slopes over sizes; notes."""
    bench = b.record(report)
    yield _arms(bench)
    yield _costs(bench)
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
        Column("loss", "difference in loss", "nats per token", b.SIGNED),
        Column("p", form=b.P),
        Column("n"),
        Column("correlation"),
        Column("speed_up", "speed-up"),
        Column("speed_up_flops", "speed-up at equal FLOPs", on=("page", "csv", "json")),
    )
    legend = (
        f"Arm minus baseline, {b.final(bench.sizes[-1])}; brackets: 95 % intervals over paired seeds; p holds for "
        "all arms together. Speed-up: tokens, or FLOPs, that the baseline needs for the loss of an arm, over the arm's."
    )
    baselines, arms = _every(bench)
    rows = (
        *((at, one.result.name, "baseline", None, None, len(one.result.runs), *[None] * 3) for at, one in baselines),
        *((at, *_arm(one)) for at, one in arms),
    )
    table = Table("bench", "Arms against the baseline", columns, rows, legend)
    return table.with_csv([*(_own(*one) for one in baselines), *(_own(*one) | _compared(one[1]) for one in arms)])


def _every(bench: BenchAnswer) -> tuple[list[tuple[str, BaselineAnswer]], list[tuple[str, ArmAnswer]]]:
    """Baselines and arms, each with the name of its size."""
    sizes = [(size.result.size.name, size) for size in bench.sizes]
    return [(at, size.baseline) for at, size in sizes], [(at, arm) for at, size in sizes for arm in size.arms]


def _arm(arm: ArmAnswer) -> tuple[Value, ...]:
    if arm.verdict is None:
        return (arm.name, "no competitor", *[None] * 6)
    loss = arm.differences["loss"]
    speeds = (arm.speed_up.multiple, arm.speed_up_flops.multiple)
    return (arm.name, b.verdict(arm), loss.mean, loss.p, loss.n, loss.correlation, *speeds)


def _costs(bench: BenchAnswer) -> Table:
    columns = (
        Column("size"),
        Column("arm"),
        Column("best_lr", "best rate"),
        Column("rate_sensitivity", "rate sensitivity", "nats per token"),
        Column("tokens", unit="millions a run"),
        Column("flops", "FLOPs", "a run"),
        Column("seconds", unit="a run"),
        Column("peak_memory", "peak memory", "MB"),
        Column("settings", "differs in", on=("page", "csv", "json")),
    )
    baselines, arms = _every(bench)
    shown: list[tuple[str, ArmAnswer | BaselineAnswer]] = [*baselines]
    shown += [(at, arm) for at, arm in arms if arm.verdict is not None]
    rows = tuple((at, one.result.name, *_cost(one), _settings(one.result)) for at, one in shown)
    legend = (
        "Means over seeds, trunk and branch together. Rate sensitivity: mean excess of the loss from best / 4 to "
        "4 best; none where one of these was not tried."
    )
    return Table("bench-costs", "What each arm takes", columns, rows, legend)


def _cost(answer: ArmAnswer | BaselineAnswer) -> tuple[Value, ...]:
    best, cost = answer.tuning.best_lr, answer.cost
    rate = Text(f"{best:.3g}" if math.isfinite(best) else "—")
    numbers = (cost["tokens"] / 1e6, cost["flops"], cost["seconds"], cost["peak_memory"] / 1e6)
    return (rate, answer.tuning.sensitivity.value, *numbers)


def _settings(arm: ArmResult) -> str:
    return printable(", ".join(f"{name}={value}" for name, value in arm.settings.items()), 200)


def _own(size: str, answer: ArmAnswer | BaselineAnswer) -> dict[str, Value]:
    """Columns in CSV of the baseline and of every arm: tokens, FLOPs, seconds, bytes."""
    tuning = answer.tuning
    return {
        "size": size,
        "arm": answer.result.name,
        "kind": answer.result.kind,
        "best_lr": tuning.best_lr,
        "best_lr_between": tuning.best_between,
        "at_edge": tuning.at_edge,
        "rate_sensitivity": tuning.sensitivity.value,
        **answer.cost,
        "settings": _settings(answer.result),
    }


def _compared(arm: ArmAnswer) -> dict[str, Value]:
    """Columns in CSV of an arm alone."""
    loss = arm.differences["loss"]
    return {
        "verdict": arm.verdict,
        **with_ends("loss", loss.mean),
        "p": loss.p,
        "n": loss.n,
        "correlation": loss.correlation,
        **with_ends("speed_up", arm.speed_up.multiple),
        "flops_ratio": arm.flops_ratio,
        **with_ends("speed_up_flops", arm.speed_up_flops.multiple),
        "beyond": arm.speed_up.beyond,
    }


def _differences(bench: BenchAnswer) -> Table:
    columns = (
        Column("size"),
        Column("arm"),
        Column("measure"),
        Column("baseline", on=("csv", "json")),
        Column("difference", form=b.SIGNED, interval=True),
        Column("unit"),
        Column("p", form=b.P),
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
            one.baseline,
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
