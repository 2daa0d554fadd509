"""What a record says when it is printed, tabled or plotted by itself: the sections of a report on it alone."""

import io
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from zerosum.deceleration import Analysis, Breaks, Comparison, Fit
from zerosum.dissent import Dissent, DissentOverTraining
from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.interference.labelled import (
    HarmMatrices,
    HarmMatrix,
    PairInterference,
    Persistence,
    StoreFindings,
    StoreInterference,
    WorseOften,
)
from zerosum.monitor.measured import Measured
from zerosum.runs import LoggedStep, MonitorLog
from zerosum.show.names import printable
from zerosum.show.report import Report, Run
from zerosum.show.section import present
from zerosum.show.table import Table, as_frame, on_terminal
from zerosum.show.terminal import wrapped

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WIDTH = 100
LINES = 12
THIS_MODEL = "this model"


def _logged(measured: Measured) -> MonitorLog:
    """One step of the live monitor as the log that it would write."""
    values = {name.partition("/")[2]: value for name, value in measured.values().items()}
    return MonitorLog((LoggedStep(measured.step, values, measured.reason),))


# Sections look for these records inside another one, which holds it.
HOLDERS: dict[type, Callable[[Any], Any]] = {
    Fit: lambda fit: Analysis(fit, (), ()),
    Dissent: lambda checkpoint: DissentOverTraining(checkpoint.source or THIS_MODEL, (checkpoint,)),
    GradientInterference: lambda checkpoint: GradientsOverTraining(checkpoint.source or THIS_MODEL, (checkpoint,)),
    HarmMatrix: lambda matrix: HarmMatrices((matrix,)),
    StoreInterference: StoreFindings.of,
    Measured: _logged,
    PairInterference: lambda pair: StoreFindings.of(StoreInterference((pair,), (), (), (), {}, (), None)),
    Persistence: lambda pairs: StoreFindings.of(StoreInterference((), (), (), (), {}, (pairs,), None)),
    WorseOften: lambda tokens: StoreFindings.of(StoreInterference((), (), (), (), {}, (), tokens)),
}


def report_on(record: Any) -> Report:
    """The report on one record alone: of one run, or, for a comparison, of none."""
    held = HOLDERS.get(type(record), lambda own: own)(record)
    name = getattr(held, "name", "this run")
    if isinstance(held, Analysis | Breaks):
        name = (held.fit if isinstance(held, Analysis) else held).curve.name
    runs = () if isinstance(held, Comparison) else (Run(name, (held,)),)
    return Report(type(record).__name__, runs, shared=(held,))


def text(record: Any) -> str:
    """The answer in at most a dozen lines."""
    from rich.console import Console

    report, out = report_on(record), io.StringIO()
    console = Console(file=out, width=WIDTH, highlight=False, markup=False, emoji=False, color_system=None)
    for section in present(report):
        for shown in (section.headline(report), *section.answer(report)):
            console.print(on_terminal(shown, WIDTH) if isinstance(shown, Table) else wrapped(shown, WIDTH))
    lines = [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]
    lines = lines or [_line(field.name, getattr(record, field.name)) for field in fields(record)]
    return "\n".join(lines if len(lines) <= LINES else [*lines[: LINES - 1], "…  .table() has all"])


def _line(name: str, value: Any) -> str:
    """A field of a record without a section of its own."""
    return printable(f"{name:<18} {' '.join(str(value).split())}", WIDTH)


def table(record: Any) -> "pd.DataFrame":
    """The first table of its sections; of a record that only has a figure, the numbers of that."""
    import pandas as pd

    report = report_on(record)
    tables = [shown for section in present(report) for shown in section.tables(report)]
    if tables:
        return as_frame(tables[0])
    return pd.DataFrame(next((section.figure.numbers(report) for section in present(report) if section.figure), []))


def plot(record: Any) -> "Figure":
    """The first figure of its sections. Raises AttributeError where they have none."""
    report = report_on(record)
    for section in present(report):
        if section.figure:
            figure: Figure = section.figure.plot(report)
            return figure
    raise AttributeError(f"{type(record).__name__}: has nothing that could be drawn. Use .table().")
