"""Printed lines -> rows: which numbers are the loss and its step, on one line or in a block below the step.

Nothing is guessed: where two names could be meant, an error names them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from zerosum.curves._note import Note
from zerosum.curves.columns import Chooser, axis_of, plain
from zerosum.curves.line_fields import FRACTION, Line, is_of_validation, unread_numbers
from zerosum.curves.text_bars import Row, row_of, rows_of_bars, without_stale
from zerosum.curves.text_names import (
    FEWEST,
    FRACTION_2,
    REMEDY,
    grows,
    listed,
    loss_name,
    numbers_before,
    refuse_validation_only,
    step_name,
    training_lines,
)
from zerosum.errors import InputError

TOKENS_PER_STEP = ("tokens_per_iteration", "tokens_per_step", "tokens_per_update")


@dataclass(frozen=True)
class TextRows:
    """The rows of a text log. loss, step: their names; no step where the lines have none. example: a line with a loss.

    of_validation: how many lines were left out. notes: what else is to be said.
    """

    rows: list[Row]
    loss: str
    step: str | None
    example: str
    of_validation: int
    notes: list[Note]


def rows_of_lines(lines: Sequence[Line], choose: Chooser) -> TextRows:
    """Rows of the lines with a training loss. Raises InputError where loss or step is not certain."""
    refuse_validation_only(lines, choose.source)
    training = training_lines(lines)
    notes: list[Note] = []
    loss = loss_name(training, choose, notes)
    losses = [line for line in training if loss in line.numbers]
    if len(losses) < FEWEST:
        raise InputError(
            f"{choose.source}: only {len(losses)} lines with a training loss ({loss!r}), which is no log. {REMEDY}"
        )
    step = step_name([line.numbers for line in losses], choose, inline=True)
    if step is not None:
        rows = _rows_of_one_line(training, loss, step, notes)
        rows = without_stale(rows, loss, notes) if step == FRACTION else rows
        example = next(line for line in losses if step in line.numbers)
    else:
        step = step_name(numbers_before(training, loss), choose, inline=False)
        example = losses[0]
        if step is None:
            _refuse_unlike(losses, numbers_before(training, loss), choose)
            rows = [row_of(line, line.numbers) for line in losses]
        else:
            rows = _rows_of_blocks(training, loss, step, choose.source, notes)
    if step not in (None, FRACTION, FRACTION_2):
        _refuse_second_losses(rows, loss, str(step), choose.source)
    others = {name for row in rows for name in row if axis_of(name) == "loss" or is_of_validation(name)} - {loss}
    rows = [{name: value for name, value in row.items() if name not in others} for row in rows]
    _add_epochs(rows, training, loss)
    _add_tokens(rows, training, step, notes)
    return TextRows(rows, loss, step, example.text, len(lines) - len(training), notes)


def _rows_of_one_line(lines: Sequence[Line], loss: str, step: str, notes: list[Note]) -> list[Row]:
    """Rows of lines with loss and step; tokens and rates may be on lines of the same step without a loss."""
    rows, without = [], 0
    for line in lines:
        numbers = line.numbers
        if loss in numbers and step not in numbers:
            without += 1
        elif loss in numbers:
            rows.append(row_of(line, numbers, step))
        else:
            steps = [name for name in numbers if axis_of(name) == "step"]
            side = {name: value for name, value in numbers.items() if axis_of(name) in ("tokens", "lr")}
            if len(steps) == 1 and side:
                rows.append({step: numbers[steps[0]]} | side)
    if without:
        notes.append(Note("rows-dropped", f"{without} lines with a loss and no {step!r} left out"))
    return rows


def _rows_of_blocks(lines: Sequence[Line], loss: str, step: str, source: str, notes: list[Note]) -> list[Row]:
    """Rows of blocks that begin with a line with the step. Raises InputError where a block has two losses."""
    totals = Counter(line.totals.get(step) for line in lines if step in line.numbers)
    total = totals.most_common(1)[0][0]
    if step == FRACTION:
        return rows_of_bars(lines, loss, total, source, notes)
    rows: list[Row] = []
    block: Row | None = None
    for line in lines:
        if step in line.numbers and line.totals.get(step) == total:
            block = row_of(line, line.numbers, step)
            rows.append(block)
        elif block is None:
            continue
        elif loss in line.numbers and loss in block:
            raise InputError(
                f"{source}: two losses below step {block[step]:g} ({line.text[:60]!r}): training and validation? "
                f"{REMEDY}"
            )
        else:
            block |= {name: value for name, value in row_of(line, line.numbers).items() if name not in block}
    return [row for row in rows if loss in row]


def _refuse_unlike(losses: Sequence[Line], numbers: Sequence[dict[str, float]], choose: Chooser) -> None:
    """Losses without steps are counted only where all lines are of one kind, and no number may be the step."""
    shapes = Counter(frozenset(line.numbers) for line in losses)
    counters = [
        name
        for name in {name for there in numbers for name in there}
        if axis_of(name) not in ("epoch", "loss")
        and "token" not in name.lower()
        and _may_count([there.get(name) for there in numbers])
    ]
    unread = [unread_numbers(line.text) for line in losses]
    counts = any(_may_count([there.get(name) for there in unread]) for name in unread[0])
    if counters or counts or shapes.most_common(1)[0][1] < 0.8 * len(losses):
        may_be = f" ({listed(sorted(counters))} may be it)" if counters else ""
        raise InputError(
            f"{choose.source}: no step is known for the losses{may_be}, on lines as {losses[0].text[:60]!r}. {REMEDY}"
        )


def _may_count(values: Sequence[float | None]) -> bool:
    there = [value for value in values if value is not None]
    return 2 * len(there) > len(values) and grows(there)


def _refuse_second_losses(rows: list[Row], loss: str, step: str, source: str) -> None:
    """Raises InputError where some steps have a second loss that nothing tells from the first.

    Where most steps have, as of several ranks, `clean_curve` asks what to take.
    """
    logged = [row for row in rows if loss in row and step in row]
    second = [row for before, row in pairwise(logged) if row[step] == before[step] and row[loss] != before[loss]]
    repeated, steps = len({row[step] for row in second}), len({row[step] for row in logged})
    if repeated > 1 and (2 * repeated <= steps or steps < FEWEST):
        raise InputError(
            f"{source}: {len(second)} steps have two losses (first: step {second[0][step]:g}), and nothing tells "
            f"training from validation. {REMEDY}"
        )


def _add_epochs(rows: list[Row], lines: Sequence[Line], loss: str) -> None:
    """The epoch of each row, where lines of their own say it."""
    if any(axis_of(name) == "epoch" for row in rows for name in row):
        return
    epochs: list[float | None] = []
    epoch = None
    for line in lines:
        named = [value for name, value in line.numbers.items() if axis_of(name) == "epoch"]
        if named:
            epoch = named[0]
        if loss in line.numbers:
            epochs.append(epoch)
    known = [value for value in epochs if value is not None]
    if len(set(known)) > 1 and len(epochs) == len(rows):
        for row, value in zip(rows, epochs, strict=True):
            row["epoch"] = known[0] - 1 if value is None else value


def _add_tokens(rows: list[Row], lines: Sequence[Line], step: str | None, notes: list[Note]) -> None:
    """Tokens of each row, where the log names the tokens of a step; a number of tokens that does not grow is none."""
    for name in {name for row in rows for name in row if axis_of(name) == "tokens"}:
        if not grows([row.get(name) for row in rows]):
            for row in rows:
                row.pop(name, None)
    if step is None or any(axis_of(name) == "tokens" for row in rows for name in row):
        return
    names = {name for line in lines for name in line.numbers if plain(name).startswith(TOKENS_PER_STEP)}
    per_step = {line.numbers[name] for line in lines for name in names if name in line.numbers} if names else set()
    if (
        len(per_step) == 1
        and step not in (FRACTION, FRACTION_2)
        and grows([row.get(step) for row in rows], always=True)
    ):
        (count,) = per_step
        for row in rows:
            if step in row:
                row["tokens"] = row[step] * count
        text = f"tokens are steps times {count:,.0f}, the tokens of a step that the log names"
        notes.append(Note("converted", text))
