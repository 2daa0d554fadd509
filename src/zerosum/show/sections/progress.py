"""How far a running job is: its loss, the verdict so far, and where it will end."""

import math
from collections.abc import Iterator

from zerosum.runs import Progress
from zerosum.show import numbers as n
from zerosum.show import words
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table, Text

TITLE = "A running job"
PLACE = 5
LONGEST = 230  # characters of the verdict


def absent(report: Report) -> str | None:
    """Only `zerosum watch` reads a running job."""
    return None if report.only(Progress) else ""


def headline(report: Report) -> str:
    """The step."""
    progress = report.only(Progress)
    assert progress is not None  # noqa: S101 - `absent` says so otherwise
    total = progress.total_steps
    share = f" of {n.count(total)} ({n.percent(progress.step / total)})" if total else ""
    return f"{printable(progress.name, 40)}: step {n.count(progress.step)}{share}"


def answer(report: Report) -> Iterator[Table | str]:
    """Loss, verdict and expected end."""
    progress = report.only(Progress)
    assert progress is not None  # noqa: S101 - `absent` says so otherwise
    rows = [("loss", _loss(progress)), ("verdict", _verdict(progress)), ("reasons", _reasons(progress))]
    rows.append(("end", _end(progress)))
    columns = (Column("what", " "), Column("text", " "))
    yield Table("", "", columns, tuple((name, Text(text)) for name, text in rows if text))


def _loss(progress: Progress) -> str:
    loss = progress.loss
    if not math.isfinite(loss.value):
        return f"none yet: {printable(loss.reason, 200)}"
    return f"{n.text(loss.value, None, n.LOSS)}, mean over the last 5 % of steps (N = {n.count(loss.N)})"


def _verdict(progress: Progress) -> str:
    return printable(words.break_in_short(progress.fit).replace("\xa0", " "), LONGEST) if progress.fit else ""


def _reasons(progress: Progress) -> str:
    """What else is to be known of the loss curve, such as spikes, as codes for `zerosum explain`."""
    return ", ".join(reason.code for reason in progress.fit.reasons) if progress.fit else ""


def _end(progress: Progress) -> str:
    expected = progress.expected
    if expected is None or progress.fit is None or progress.fit.verdict == "cannot-tell":
        return ""
    where = "the last step" if progress.total_steps else "twice these steps"
    if not math.isfinite(expected.loss):
        return f"not expected yet: {expected.reason}"
    return (
        f"{n.text(expected.loss, expected.interval, n.LOSS)} expected at step {n.count(expected.T)}, {where}, if the "
        "fitted law goes on"
    )
