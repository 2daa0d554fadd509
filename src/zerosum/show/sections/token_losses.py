"""Section: the mean loss of every checkpoint on the measured text, and what was measured."""

from collections.abc import Iterator

from zerosum.interference.labelled import CheckpointLoss, StoreLosses
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections._single_run import spread_evenly
from zerosum.show.table import Column, Table, Text, Value

TITLE = "Mean losses on the measured text"
PLACE = 28
ANSWERED = 10  # checkpoints in the first answer on a terminal


def absent(report: Report) -> str | None:
    """Pages on what tokens do have the losses in other sections."""
    return None if report.each(StoreLosses) else ""


def headline(report: Report) -> str:
    """The last checkpoint of each run that gives numbers."""
    return " ".join(_last(label, losses) for label, losses in report.each(StoreLosses))


def _last(label: str, losses: StoreLosses) -> str:
    known = [checkpoint for checkpoint in losses.checkpoints if checkpoint.loss.known]
    if not known:
        return f"{label}: no checkpoint gives numbers."
    last = known[-1]
    mean = n.text(last.loss.value, last.loss.interval, n.LOSS)
    step = "an unknown step" if last.step is None else f"step {n.count(last.step)}"
    return f"{label}: mean loss {mean} at {step}, over N\xa0=\xa0{n.count(last.loss.N or 0)} tokens."


def answer(report: Report) -> Iterator[Table | str]:
    """Checkpoints, evenly spread from the first to the last; problems and gaps."""
    for _, losses in report.each(StoreLosses):
        yield _table(
            spread_evenly(losses.checkpoints, ANSWERED),
            "",
            Column("loss", "mean loss", "nats per token", on=("terminal",)),
        )
        yield from _warnings(losses)


def _warnings(losses: StoreLosses) -> Iterator[str]:
    for problem in losses.problems:
        yield f"Problem: {problem.sentence.rstrip('. ')}."
    if losses.gaps:
        between = ", ".join(f"{n.count(start)} and {n.count(end)}" for start, end in losses.gaps)
        yield f"Gaps: checkpoints are missing between steps {between}, by the spacing of those around."


def sentences(report: Report) -> Iterator[str]:
    """What was measured, how intervals were made, and what the noise floor is."""
    for _, losses in report.each(StoreLosses):
        recorded = losses.recorded
        tokens = recorded["tokens"] or {}
        how = "documents joined" if tokens.get("pack") else "one document to a sequence"
        dtype = str(recorded["dtype"])
        yield (
            f"Tokens: {n.count(losses.n_predicted)} predicted, {n.counted(losses.n_sequences, 'sequence')}, "
            f"{n.counted(losses.n_documents, 'document')}; {how}; tokenizer "
            f"{printable(str(recorded['tokenizer'] or 'none'))}; {printable(dtype, 20)}."
        )
        yield f"Intervals: {_intervals(losses)}."
        other = "in other batches" if dtype == "float32" else "in float32 or in other batches, whichever differs more"
        yield (
            f"Noise floor: mean |difference| of the same tokens measured {other}; changes of tokens below it may be "
            "numerical noise."
        )


def _intervals(losses: StoreLosses) -> str:
    means = [checkpoint.loss for checkpoint in losses.checkpoints]
    with_interval = next((mean for mean in means if mean.interval), None)
    if with_interval is None:
        return f"none, {means[0].reason}"
    return f"{100 * with_interval.level:g} %, {with_interval.method}"


def tables(report: Report) -> Iterator[Table]:
    """Every checkpoint."""
    for _, losses in report.each(StoreLosses):
        if len(losses.checkpoints) > ANSWERED:
            yield _table(losses.checkpoints, "Every checkpoint", Column("loss", "mean loss", "nats per token"))


def _table(checkpoints: tuple[CheckpointLoss, ...] | list[CheckpointLoss], caption: str, loss: Column) -> Table:
    columns = (
        Column("step", "step"),
        Column("tokens_seen", "tokens seen"),
        loss,
        Column("noise", "noise floor", "nats"),
    )
    return Table("", caption, columns, tuple(map(_row, checkpoints)))


def _row(checkpoint: CheckpointLoss) -> tuple[Value, ...]:
    loss = checkpoint.loss
    floor = "—" if checkpoint.noise_floor is None else f"{checkpoint.noise_floor:.1g}"
    return (
        Text(n.count(checkpoint.step)),
        Text(n.count(checkpoint.tokens_seen)),
        Text(" ".join(filter(None, n.written(loss.value, loss.interval, n.LOSS))), note=loss.reason),
        Text(floor),
    )
