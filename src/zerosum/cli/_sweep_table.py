"""`zerosum sweep`: how far the runs are, in a table."""

from collections import Counter
from collections.abc import Sequence

from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.table import Column, Table, Text
from zerosum.sweep import RunState

_COLUMNS = (
    Column("name", "run"),
    Column("state", "state"),
    Column("step", "step"),
    Column("loss", "loss", "nats/token", n.LOSS),
    Column("held_out_loss", "held-out", "nats/token", n.LOSS),
)
_LONGEST_ERROR = 60


def table(shown: Sequence[RunState]) -> Table:
    """A row for each run."""
    rows = tuple(_row(state) for state in shown)
    return Table("sweep", "", _COLUMNS, rows, "loss: of the last logged batch. held-out: of the last checkpoint.")


def counts(found: Sequence[RunState]) -> str:
    """How many runs are done, running, queued, waiting and failed, in a sentence."""
    numbers = Counter(state.state for state in found)
    parts = [
        f"{numbers[state]} {state}" for state in ("done", "running", "queued", "waiting", "failed") if numbers[state]
    ]
    return f"{n.counted(len(found), 'run')}: {', '.join(parts)}."


def _row(state: RunState) -> tuple[Text | float | None, ...]:
    why = printable((state.error or "").removeprefix(f"{state.run.folder}: "), _LONGEST_ERROR)
    step = f"{n.count(state.step)} of {n.count(state.run.recipe.steps)}"
    return (Text(state.run.folder.name), Text(state.state, below=why), Text(step), state.loss, state.held_out_loss)
