"""Which rows of a table are the training losses of one run: a log may hold several series.

Training and validation, several models or runs, a row for each rank, or a row for each metric: they are told apart by
columns of labels. Training rows are taken, ranks averaged, and several runs refused by name; each is said in a note.
"""

import shlex
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.curves._note import Note
from zerosum.curves._table import Cells, Table
from zerosum.curves.column_names import HELPERS
from zerosum.curves.columns import Chooser, matching
from zerosum.curves.counting import count_steps
from zerosum.curves.labels import RANK_NAMES, RUN_NAMES, Labels, label, labels_of, last_part, training_labels
from zerosum.curves.long_form import LongForm, long_form
from zerosum.curves.monitor_rows import rows_of_the_monitor
from zerosum.curves.numerals import COUNTS, as_number
from zerosum.curves.place import Axes, Place, mean_over
from zerosum.errors import InputError

TITLE_NAMES = {"name", "run", "run_id", "run_name", "display_name", "exp_name", "job_name", "model_name"}
STATES = {"finished", "crashed", "running", "failed", "killed", "preempted", "completed", "preempting"}
MOST_GROUPS = 64  # different numbers, for a column of numbers to count as labels
LOOKED_AT = 50  # cells of a column, to tell words from numbers


def read_series(table: Table, choose: Chooser) -> tuple[Axes, dict[str, str]]:
    """The columns of one run's training losses, by axis, and the names of these columns.

    What was taken and what left out is added to the notes of `choose`.
    Raises InputError where there are several runs in the table, or only rows of validation: it names them.
    """
    table = count_steps(long_form(table, choose), choose)
    chosen = choose(table.names)
    if isinstance(table, LongForm):
        choose.notes.append(table.note(chosen))
    axes: Axes = {}
    for axis in sorted(chosen, key=lambda axis: axis in COUNTS):
        quiet = axis in HELPERS
        axes[axis] = _quiet(table.cells(chosen[axis])) if quiet else table.numbers(axis, chosen[axis])
    rows = _asked_for(table, choose, len(axes["step"]))
    rows &= ~rows_of_the_monitor(table, np.isnan(axes["loss"]))
    if isinstance(table, LongForm):
        rows &= table.rows_of(chosen.values())
    rows = _of_training(table, choose, rows, axes, chosen)
    return _of_one_run(table, choose, rows, axes, chosen), chosen


def _quiet(cells: Cells) -> Float[np.ndarray, " n"]:
    """Numbers of a column that is no axis, without a word on what is none."""
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64)
    return np.array([as_number(cell) for cell in cells], dtype=np.float64)


def _asked_for(table: Table, choose: Chooser, n: int) -> Bool[np.ndarray, " n"]:
    """The rows that have every value the caller asked for."""
    rows = np.ones(n, dtype=bool)
    choose.rows_chosen = bool(choose.where)
    for column, value in choose.where.items():
        if column not in table.names:
            raise InputError(
                f"{choose.source}: no column {column[:60]!r} to choose rows by; there are "
                f"{_listed(list(table.names))}. Choose one."
            )
        cells = [label(cell) for cell in table.cells(column)]
        same = np.array([cell == label(value) or _same_number(cell, value) for cell in cells])
        if not (rows & same).any():
            raise InputError(
                f"{choose.source}: no row with {column[:60]!r} {value[:60]!r}; there are "
                f"{_listed(list(dict.fromkeys(cells)))}. Choose one of them."
            )
        rows &= same
        text = f"rows whose {column[:60]!r} is {value[:60]!r}: {int(same.sum())} of {n}"
        choose.notes.append(Note("series-chosen", text))
    return rows


def _same_number(cell: str, value: str) -> bool:
    return as_number(cell) == as_number(value)


def _of_training(
    table: Table, choose: Chooser, rows: Bool[np.ndarray, " n"], axes: Axes, chosen: Mapping[str, str]
) -> Bool[np.ndarray, " n"]:
    """Without the rows that a label says are of validation."""
    for name in _label_columns(table, chosen, choose):
        has_loss = rows & ~np.isnan(axes["loss"])
        column = _labels(table, name)
        present = column.among(has_loss) if column else None
        wanted = training_labels(present) if present and present.values else None
        if column is None or present is None or wanted is None:
            continue
        counts = present.counts()
        if not wanted:
            example = shlex.quote(f"{name}={present.values[0]}")
            raise InputError(
                f"{choose.source}: no training losses in it: {name!r} is {_listed(present.values)} in every row with a "
                f"loss. Give the training log, or ask for these rows: --where {example}."
            )
        others = [value for value in present.values if value not in wanted]
        if not others:
            continue
        taken = sum(counts[value] for value in wanted)
        left = ", ".join(f"{value!r} {counts[value]}" for value in others[:8])
        text = f"of {name!r} the {taken} rows {_listed(wanted)} were read; rows left out: {left}"
        choose.notes.append(Note("series-chosen", text))
        rows = rows & np.isin(column.codes, [column.values.index(value) for value in wanted])
    return rows


def _label_columns(table: Table, chosen: Mapping[str, str], choose: Chooser) -> list[str]:
    """Columns of text or of truth values that are no axis, and were not asked for."""
    taken = {*chosen.values(), *choose.where}
    names = [name for name in table.names if name not in taken and table.names.count(name) == 1]
    return [name for name in names if _is_text(table.cells(name)) or training_named(name)]


def training_named(name: str) -> bool:
    """Whether a column of numbers says by its name which rows are training."""
    return bool(training_labels(Labels(name, ("0", "1"), np.array([0, 1]))))


def _is_text(cells: Cells) -> bool:
    """Whether a column holds words or truth values; its first cells tell."""
    if isinstance(cells, np.ndarray):
        return cells.dtype.kind not in "fiu"
    there = (cell for cell in cells if cell is not None and cell == cell and cell != "")
    return any(isinstance(cell, bool) or as_number(cell) != as_number(cell) for cell in islice(there, LOOKED_AT))


def _labels(table: Table, name: str) -> Labels | None:
    return labels_of(name, table.cells(name))


def _of_one_run(
    table: Table, choose: Chooser, rows: Bool[np.ndarray, " n"], axes: Axes, chosen: Mapping[str, str]
) -> Axes:
    """The rows of one run; of several ranks their mean. Refuses the rows of several runs."""
    logged = rows & np.isfinite(axes["step"]) & np.isfinite(axes["loss"])
    place = Place(axes["step"][logged], axes["epoch"][logged] if "epoch" in axes else None)
    columns = _candidates(table, chosen, choose, logged, in_order=place.is_increasing())
    _refuse_table_of_runs(choose.source, columns, place)
    runs = [column for column in columns if last_part(column.column) in RUN_NAMES and len(column.values) > 1]
    ranks = [column for column in columns if last_part(column.column) in RANK_NAMES and len(column.values) > 1]
    others = [c for c in columns if c not in runs and c not in ranks and len(c.values) > 1]
    for column in runs:
        if place.apart(column.codes):
            _refuse_runs(choose.source, [c for c in runs if place.apart(c.codes)])
    averaged = _joint(ranks)
    if averaged is not None and place.same_steps(averaged):
        choose.notes.append(_averaged_note(ranks, averaged))
        return mean_over(averaged, place, {axis: values[logged] for axis, values in axes.items()})
    if not place.is_increasing():
        for column in others:
            if place.separated_by(column.codes) and place.apart(column.codes):
                _refuse_runs(choose.source, [column])
    return {axis: values[rows] for axis, values in axes.items()}


def _candidates(
    table: Table, chosen: Mapping[str, str], choose: Chooser, logged: Bool[np.ndarray, " n"], *, in_order: bool
) -> list[Labels]:
    """Columns that may tell runs apart: those known by name, and any other where the steps are not in order."""
    taken = {*(name for axis, name in chosen.items() if axis != "lr"), *choose.where}
    found = []
    for name in table.names:
        known = last_part(name) in RUN_NAMES | RANK_NAMES | {"state"}
        if name in taken or table.names.count(name) > 1 or matching("tokens", [name]) or (in_order and not known):
            continue
        labels = _labels(table, name)
        labels = labels.among(logged) if labels else None
        if labels is None:
            continue
        few = len(labels.values) <= min(MOST_GROUPS, len(labels.codes) / 3)
        if known or _is_text(table.cells(name)) or few:
            found.append(labels)
    return found


def _joint(columns: list[Labels]) -> Int[np.ndarray, " n"] | None:
    """One code for each combination of labels."""
    if not columns:
        return None
    codes: Int[np.ndarray, " n"] = np.unique(
        np.stack([column.codes for column in columns]), axis=1, return_inverse=True
    )[1].ravel()
    return codes


def _averaged_note(ranks: list[Labels], codes: Int[np.ndarray, " n"]) -> Note:
    names = " and ".join(repr(column.column) for column in ranks)
    count = int(codes.max()) + 1
    return Note("ranks-averaged", f"the losses of {count} ranks ({names}) at the same step were averaged")


def _refuse_table_of_runs(source: str, columns: list[Labels], place: Place) -> None:
    n = len(place.step)
    named = [c for c in columns if last_part(c.column) in TITLE_NAMES and len(c.values) == n]
    states = [c for c in columns if {value.lower() for value in c.values} <= STATES and last_part(c.column) == "state"]
    one_step = n > 2 and len(np.unique(place.at)) == 1
    if n > 1 and ((named and states) or one_step or (named and not place.is_increasing())):
        what = f"{n} rows, all at step {place.step[0]:g}" if one_step else f"{n} rows, each of another run"
        raise InputError(
            f"{source}: a table of finished runs, not the history of one ({what}). Export the history of each run."
        )


def _refuse_runs(source: str, columns: list[Labels]) -> None:
    what = "; ".join(
        f"{column.column!r}: " + _listed([f"{value} ({k} rows)" for value, k in column.counts().items()])
        for column in columns
    )
    example = " ".join(f"--where {shlex.quote(f'{column.column}={column.values[0]}')}" for column in columns)
    count = np.unique(np.stack([column.codes for column in columns]), axis=1).shape[1]
    raise InputError(f"{source}: {count} runs in it ({what}). Choose one: {example}.")


def _listed(values: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(value[:60]) for value in values[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")
