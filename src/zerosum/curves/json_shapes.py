"""Where in a JSON document the losses are: rows, columns, a bare list, an object keyed by step, or one level down."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from zerosum.curves._format import flat
from zerosum.curves._note import Note
from zerosum.curves.column_names import ALIASES
from zerosum.curves.columns import Chooser, matching
from zerosum.curves.line_fields import is_of_validation
from zerosum.curves.numerals import as_number
from zerosum.errors import InputError

Row = dict[str, Any]


def rows_of(document: Any, choose: Chooser) -> tuple[list[Row], list[Note]]:
    """The logged rows in a document, and notes on what was left out; no rows where there is nothing like a table.

    Raises InputError where several parts of the document could be meant, or columns do not fit together.
    """
    rows, notes = _table(document, choose)
    if not isinstance(document, dict) or (rows and _has_loss(rows, choose)):
        return rows, notes
    parts = {name: value for name, value in document.items() if isinstance(value, dict | list)}
    inner = {name: _table(value, choose) for name, value in parts.items() if not _is_list_of_scalars(value)}
    inner = {name: table for name, table in inner.items() if table[0] and _has_loss(table[0], choose)}
    name = _of_training(list(inner))
    if name is not None:
        rows, notes = inner[name]
        beside = [other for other in inner if other != name]
        text = f"read from {name[:60]!r}, one level down" + (f"; left out: {_listed(beside)}" if beside else "")
        return rows, [Note("column-chosen", text), *notes]
    if inner:
        raise InputError(
            f"{choose.source}: {len(inner)} parts of it have losses ({_listed(list(inner))}), and not one of them is "
            "the training. Write the part to read into a file of its own."
        )
    return rows, notes


def _of_training(names: list[str]) -> str | None:
    """The only part that is not of validation by its name."""
    training = [name for name in names if not is_of_validation(name)]
    return training[0] if len(training) == 1 else None


def _table(value: Any, choose: Chooser) -> tuple[list[Row], list[Note]]:
    """One container as rows, without going down; no rows where it is no table."""
    if isinstance(value, list):
        return _rows_of_list(value, choose)
    if not isinstance(value, dict) or not value:
        return [], []
    lists = {name: values for name, values in value.items() if _is_list_of_scalars(values)}
    if lists and (matching("loss", list(lists)) or choose.overrides.get("loss") in lists):
        return _rows_of_columns(lists, choose), []
    by_step = _rows_by_step(value)
    if by_step:
        return by_step, [Note("column-chosen", "an object keyed by step: its keys were read as the steps")]
    row = {name: entry for name, entry in flat(value).items() if not isinstance(entry, list | dict)}
    return ([row] if row else []), []


def _rows_of_list(values: list[Any], choose: Chooser) -> tuple[list[Row], list[Note]]:
    rows = [flat(row) for row in values if isinstance(row, dict)]
    if rows:
        ignored = len(values) - len(rows)
        text = f"{ignored} entries that are no objects dropped"
        return rows, [Note("entries-ignored", text)] if ignored else []
    if values and all(isinstance(row, list) and _is_list_of_scalars(row) for row in values):
        width = {len(row) for row in values}
        if len(width) == 1 and width != {0}:  # as in a table without a header: never guessed, chosen by place
            return [{f"column {k + 1}": value for k, value in enumerate(row)} for row in values], []
        return [], []
    numbers = [as_number(value) for value in values if value is not None]
    if not numbers or not _is_list_of_scalars(values):
        return [], []
    refuse_no_losses(numbers, choose)
    return [{"loss": value} for value in values], []


def refuse_no_losses(numbers: Sequence[float], choose: Chooser) -> None:
    """Raises InputError where bare numbers are whole, ids or counts, or do not fall, as rates and accuracies.

    Nothing is refused where the caller names the loss.
    """
    there = [number for number in numbers if abs(number) < 1e300]
    third = (len(there) + 2) // 3
    if not there or choose.overrides.get("loss") is not None:
        return
    if all(number == int(number) for number in there):
        raise InputError(
            f"{choose.source}: bare whole numbers ({numbers[0]:g}, ...) are no losses. "
            "Give a table with a step and a loss."
        )
    if len(there) > 2 and median(there[-third:]) > median(there[:third]):
        raise InputError(
            f"{choose.source}: bare numbers that do not fall ({numbers[0]:g}, ..., {numbers[-1]:g}) are hardly losses. "
            "If they are, say loss=loss (--loss loss)."
        )


def _rows_of_columns(lists: dict[str, list[Any]], choose: Chooser) -> list[Row]:
    """Columns as rows: the known ones, and the others that are as long."""
    asked = [choose.overrides.get(axis) for axis in ALIASES]
    known = [
        name
        for axis, wanted in zip(ALIASES, asked, strict=True)
        for name in ([wanted] if wanted is not None else matching(axis, list(lists)))
        if name in lists
    ]
    lengths = {name: len(lists[name]) for name in known}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name[:60]!r} {k}" for name, k in lengths.items())
        raise InputError(f"{choose.source}: columns of different lengths ({found}). Which value belongs to which step?")
    n = next(iter(lengths.values()))
    same = {name: values for name, values in lists.items() if len(values) == n}
    return [dict(zip(same, row, strict=True)) for row in zip(*same.values(), strict=True)] or [dict.fromkeys(same)]


def _rows_by_step(value: Row) -> list[Row]:
    """Rows of an object whose keys are steps, or of one such object for each metric; [] of any other."""
    if _is_keyed_by_step(value):
        inner = [flat(row) if isinstance(row, dict) else {"loss": row} for row in value.values()]
        has_steps = matching("step", [name for row in inner for name in row])
        return [row if has_steps else {"step": step} | row for step, row in zip(value, inner, strict=True)]
    metrics = {name: column for name, column in value.items() if isinstance(column, dict) and _is_keyed_by_step(column)}
    if not metrics or not matching("loss", list(metrics)):
        return []
    rows: dict[str, Row] = {}
    for name, column in metrics.items():
        for step, entry in column.items():
            rows.setdefault(step, {} if matching("step", list(metrics)) else {"step": step})[name] = entry
    return list(rows.values())


def _is_keyed_by_step(value: Row) -> bool:
    return len(value) > 1 and all(0 <= as_number(key) < float("inf") for key in value)


def _is_list_of_scalars(values: Any) -> bool:
    return isinstance(values, list) and not any(isinstance(value, list | dict) for value in values)


def _has_loss(rows: list[Row], choose: Chooser) -> bool:
    names = list(dict.fromkeys(name for row in rows for name in row))
    asked = choose.overrides.get("loss")
    return asked in names if asked is not None else bool(matching("loss", names))


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(repr(name[:60]) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
