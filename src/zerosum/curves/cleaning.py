"""Makes a `LossCurve` of untidy rows. Every change gets a note, with counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

from zerosum.curves._curve import LossCurve
from zerosum.curves._note import Note, NoteCode, left_out
from zerosum.curves.gaps import describe_gaps
from zerosum.curves.grid import already_thinned
from zerosum.curves.restarts import count_through
from zerosum.curves.side_axes import between, from_same_step
from zerosum.curves.units import doubtful
from zerosum.errors import InputError

Values = Shaped[np.ndarray, " n"] | Sequence[float | int]
OnResume = Literal["last", "first", "error"]
OnRepeat = Literal["last", "first", "mean"]
LARGEST_STEP = 2.0**53  # above it floating point skips whole numbers
SAME_LOSS = 1e-3  # relative; losses of one step that differ by less were rounded differently, or are of equal ranks
FEWEST_STEPS = 5  # for repeated ones to be the rule and not the exception
FEWEST_WITHOUT_LOSS = 3  # rows at the end, for a run to have diverged
ROWS_PER_PIECE = 20  # a log that goes back more often than every 20 rows is unsorted, not resumed


@dataclass
class _Rows:
    """The remaining rows, by axis, with notes on the changes so far."""

    axes: dict[str, Float[np.ndarray, " n"]]
    notes: list[str]
    dropped: dict[str, int] = field(default_factory=dict)

    def keep(self, mask: Bool[np.ndarray, " n"], cause: str, sentence: Callable[[int], str] | None) -> None:
        """Drop the rows outside `mask`; count them by cause, and add the note `sentence(count)` where there are any."""
        dropped = int((~mask).sum())
        if dropped:
            self.axes = {axis: values[mask] for axis, values in self.axes.items()}
            self.dropped[cause] = dropped
            code: NoteCode = "trained-twice" if cause == "trained twice" else "rows-dropped"
            if sentence is not None:
                self.notes.append(Note(code, sentence(dropped)))

    @property
    def step(self) -> Float[np.ndarray, " n"]:
        return self.axes["step"]


def clean_curve(
    name: str,
    step: Values,
    loss: Values,
    *,
    tokens: Values | None = None,
    lr: Values | None = None,
    epoch: Values | None = None,
    total_steps: Values | None = None,
    source: str = "",
    format: str = "array",
    notes: tuple[str, ...] = (),
    columns: Mapping[str, str] | None = None,
    on_resume: OnResume = "last",
    on_repeat: OnRepeat | None = None,
    job: int | None = None,
) -> LossCurve:
    """Make a curve of rows in the order they were written.

    step, loss, tokens, lr: [n] numbers; NaN where a row lacks one. notes: what the reader already changed.
    epoch, total_steps: [n] likewise: steps that start again with each epoch are counted through, and a counter that
    starts again while the loss goes on is continued; where it does not go on another job begins, and the longest one,
    or `job`, is taken. See `restarts`.
    Tokens or learning rates in rows of their own are joined to the loss of the same step; where they are logged more
    seldom than the loss they are interpolated, or left out where they are too far apart for that.
    Dropped: rows without step or loss, infinite or non-positive losses, negative steps. Where a step goes back, a
    resumed run is assumed, and of the steps trained twice the last (or `on_resume` first) stays; a log that goes back
    all the time is sorted. Of rows with the same step the last stays, or what `on_repeat` says; where most steps have
    several losses it has to say. A log on the published grid stays as it is.
    Gaps in the steps are noted, not filled. How many rows were dropped is in the curve's `dropped`, by cause.

    Raises InputError when nothing is left, when a step is above 2^53, more than half of the losses are not positive,
    when steps go back and `on_resume` is "error", or most steps have several losses.
    """
    label = source or name
    given = {"step": step, "loss": loss, "tokens": tokens, "lr": lr, "epoch": epoch, "total_steps": total_steps}
    rows = _Rows(_checked(given, label), list(notes))
    _count_through(rows, job, label, restarts=on_resume != "error")
    _join_by_step(rows, on_resume)
    _refuse_impossible_steps(rows, label)
    _drop_after_divergence(rows)
    _drop_unusable(rows, label)
    _put_in_order(rows, on_resume, on_repeat, label)
    _complete_side_axes(rows)
    rows.notes.extend(doubtful(rows.axes["loss"]))
    return LossCurve(
        name=name,
        step=rows.step,
        loss=rows.axes["loss"],
        tokens=rows.axes.get("tokens"),
        lr=rows.axes.get("lr"),
        source=source,
        format=format,
        cleaning=tuple(rows.notes),
        columns=dict(columns or {}),
        dropped=rows.dropped,
    )


def _checked(given: Mapping[str, Values | None], label: str) -> dict[str, Float[np.ndarray, " n"]]:
    axes = {axis: np.asarray(values, dtype=np.float64) for axis, values in given.items() if values is not None}
    if len({len(values) for values in axes.values()}) > 1:
        raise InputError(
            f"{label}: {', '.join(f'{len(v)} {k}' for k, v in axes.items())}. Give one of each for each row."
        )
    return axes


def _count_through(rows: _Rows, job: int | None, label: str, *, restarts: bool) -> None:
    axes = rows.axes
    epoch, total = axes.pop("epoch", None), axes.pop("total_steps", None)
    counted = count_through(axes["step"], axes["loss"], epoch, total, job=job, label=label, restarts=restarts)
    axes["step"] = counted.step
    rows.notes.extend(counted.notes)
    tokens = axes.get("tokens")
    if counted.notes and tokens is not None and (np.diff(tokens[counted.rows & np.isfinite(tokens)]) < 0).any():
        del axes["tokens"]
        rows.notes.append(left_out("tokens", "they start again with the steps"))
    other = int((~counted.rows).sum())
    if other:
        rows.axes = {axis: values[counted.rows] for axis, values in axes.items()}
        rows.dropped["other job"] = other


def _join_by_step(rows: _Rows, on_resume: OnResume) -> None:
    for axis in _side_axes(rows):
        has_loss = ~np.isnan(rows.axes["loss"])
        filled, count = from_same_step(rows.step, rows.axes[axis], has_loss, first=on_resume == "first")
        if count:
            rows.axes[axis] = filled
            rows.notes.append(Note("joined", f"{axis} of {_count(count)} taken from other rows of the same step"))


def _refuse_impossible_steps(rows: _Rows, label: str) -> None:
    too_large = np.isfinite(rows.step) & (rows.step > LARGEST_STEP)
    if too_large.any():
        raise InputError(
            f"{label}: {int(too_large.sum())} of {_count(len(rows.step))} with a step above 2^53 (first: "
            f"{rows.step[too_large][0]:g}), which no run reaches. Remove them, or choose another column of steps."
        )


def _drop_after_divergence(rows: _Rows) -> None:
    """Says that a run diverged where its losses end in a row of losses that are no numbers, or exactly 0.

    Trainers write 0 for a loss that overflowed. Cells that are empty now and then all through a log are no divergence.
    """
    loss, step = rows.axes["loss"], rows.step
    no_loss = ~np.isfinite(loss) | (loss == 0)
    if no_loss.all() or not no_loss[-1:].any():
        return
    last = int(np.flatnonzero(~no_loss)[-1])
    gone, there = step[last + 1 :], step[: last + 1][~no_loss[: last + 1]]
    gone = gone[np.isfinite(gone)]
    breaks = np.diff(np.flatnonzero(np.append(~no_loss[: last + 1], True))) - 1
    longest_before = int(breaks.max(initial=0))
    if len(np.unique(gone)) < max(FEWEST_WITHOUT_LOSS, 3 * longest_before) or gone[0] <= there[-1]:
        return
    kind = "0" if (loss[last + 1 :] == 0).all() else "not finite"
    text = f"the run diverged: from step {gone[0]:g} to the end, step {gone[-1]:g}, the loss is {kind}"
    rows.notes.append(Note("diverged", text))
    rows.keep(np.arange(len(loss)) <= last, "diverged", None)


def _drop_unusable(rows: _Rows, label: str) -> None:
    rows.keep(~np.isnan(rows.step), "no step", lambda k: f"{_count(k)} without a step dropped")
    rows.keep(
        np.isfinite(rows.step) & (rows.step >= 0),
        "step negative or infinite",
        lambda k: f"{_count(k)} with a negative or infinite step dropped",
    )
    rows.keep(~np.isnan(rows.axes["loss"]), "no loss", lambda k: f"{_count(k)} without a loss (empty or NaN) dropped")
    rows.keep(np.isfinite(rows.axes["loss"]), "loss infinite", lambda k: f"{_count(k)} with an infinite loss dropped")
    positive = rows.axes["loss"] > 0
    if 2 * positive.sum() < len(positive):
        at = int(np.argmin(positive))
        raise InputError(
            f"{label}: {int((~positive).sum())} of {len(positive)} losses are not positive (first: "
            f"{rows.axes['loss'][at]:g} at step {rows.step[at]:g}): not a cross-entropy in nats. Choose another column."
        )
    rows.keep(positive, "loss not positive", lambda k: f"{_count(k)} with a loss that is not positive dropped")
    if len(rows.step) == 0:
        why = "; ".join(rows.notes) or "there are no rows"
        raise InputError(f"{label}: no row has a step and a positive, finite loss ({why}). Check the columns chosen.")


def _put_in_order(rows: _Rows, on_resume: OnResume, on_repeat: OnRepeat | None, label: str) -> None:
    if already_thinned(rows.step):
        repeated = ", its repeated last row included" if rows.step[-1] == rows.step[-2] else ""
        rows.notes.append(
            Note(
                "averaged",
                f"steps lie on the published fits' grid (already smoothed and thinned): kept as is{repeated}",
            )
        )
        return
    _untangle(rows, on_resume, label)
    _reduce_repeated(rows, on_repeat, label)
    rows.notes.extend(describe_gaps(rows.step))


def _reduce_repeated(rows: _Rows, on_repeat: OnRepeat | None, label: str) -> None:
    """One row for each step. Refuses where most steps have several losses: nothing says which of them to take."""
    step, loss = rows.step, rows.axes["loss"]
    starts = np.flatnonzero(np.append(True, np.diff(step) > 0))
    spread = np.maximum.reduceat(loss, starts) > np.minimum.reduceat(loss, starts) * (1 + SAME_LOSS)
    if on_repeat is None and len(starts) >= FEWEST_STEPS and 2 * spread.sum() > len(starts):
        k = int(starts[np.argmax(spread)])
        raise InputError(
            f"{label}: {int(spread.sum())} of {len(starts)} steps have several losses (step {step[k]:g}: {loss[k]:g} "
            f"and {loss[k + 1]:g}), and no column tells them apart. Are they training and validation, ranks or "
            "micro-batches? Separate them, or say which: --on-repeat first, last or mean."
        )
    if on_repeat == "mean":
        counts = np.diff(np.append(starts, len(step)))
        rows.axes = {axis: np.repeat(np.add.reduceat(v, starts) / counts, counts) for axis, v in rows.axes.items()}
    first = on_repeat == "first"
    new = np.diff(step) > 0
    which = "the mean" if on_repeat == "mean" else f"the {'first' if first else 'last'} of each"
    rows.keep(
        np.append(True, new) if first else np.append(new, True),
        "step repeated",
        lambda k: f"{_count(k)} with a repeated step dropped, {which} kept",
    )


def _untangle(rows: _Rows, on_resume: OnResume, label: str) -> None:
    back = np.flatnonzero(np.diff(rows.step) < 0) + 1
    if len(back) == 0:
        return
    if on_resume == "error":
        at = int(back[0])
        raise InputError(
            f"{label}: step goes back from {rows.step[at - 1]:g} to {rows.step[at]:g} at row {at + 1} "
            "(a resumed run?). Keep the later part with on_resume='last' (--on-resume last)."
        )
    pieces = np.diff(back, prepend=0, append=len(rows.step))
    # A piece of one row is a stray row (a summary, an evaluation), which must not cut off the run before it.
    if len(pieces) * ROWS_PER_PIECE > len(rows.step) or pieces.min() == 1:
        order = np.argsort(rows.step, kind="stable")
        rows.axes = {axis: values[order] for axis, values in rows.axes.items()}
        rows.notes.append(Note("sorted", f"sorted by step (it went back {_times(len(back))})"))
        return
    first = on_resume == "first"
    if first:  # keep what goes beyond everything before it
        keep = rows.step > np.append(-np.inf, np.maximum.accumulate(rows.step)[:-1])
    else:  # keep what everything after it goes beyond
        keep = rows.step < np.append(np.minimum.accumulate(rows.step[::-1])[::-1][1:], np.inf)
    where = ", ".join(f"{rows.step[i - 1]:g} to {rows.step[i]:g}" for i in back[:3]) + (
        ", ..." if len(back) > 3 else ""
    )
    which = "first" if first else "last"
    rows.keep(
        keep,
        "trained twice",
        lambda k: f"resumed {_times(len(back))} (step {where}): {_count(k)} dropped, the {which} of each step kept",
    )


def _complete_side_axes(rows: _Rows) -> None:
    for axis in _side_axes(rows):
        logged = int(np.isfinite(rows.axes[axis]).sum())
        rows.axes[axis], count = between(rows.step, rows.axes[axis], hold=axis == "lr")
        if count:
            rows.notes.append(
                Note("interpolated", f"{axis} of {_count(count)} interpolated between the {logged} that have it")
            )
        missing = int((~np.isfinite(rows.axes[axis])).sum())
        if missing:
            rows.notes.append(left_out(axis, f"missing in {missing} of {_count(len(rows.step))}"))
            del rows.axes[axis]


def _side_axes(rows: _Rows) -> list[str]:
    return [axis for axis in ("tokens", "lr") if axis in rows.axes]


def _count(k: int) -> str:
    return f"{k} row" if k == 1 else f"{k} rows"


def _times(k: int) -> str:
    return "once" if k == 1 else f"{k} times"
