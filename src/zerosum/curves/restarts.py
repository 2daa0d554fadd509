"""Steps that start again within one log: the batches of each epoch, a counter that was reset, another job.

A restart from a checkpoint goes back to the middle of the run, and is left to `cleaning`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from zerosum.curves._note import Note
from zerosum.errors import InputError

FEWEST = 5  # rows that a part repeats, for its start to be a restart and not rows out of order
LEVEL = 0.08  # in log loss: what noise apart the loss may jump where training goes on
SCATTER = 4.0  # standard deviations of the noise, likewise
LAST = 20  # rows at the end of a part that tell its noise and its level
FIRST = 3  # rows at the start of a part that tell its level
Column = Float[np.ndarray, " _"]  # of any length: one log, one part, the head of a part


@dataclass(frozen=True)
class Counted:
    """step: [n] counted through the whole job. rows: [n] which rows belong to the job. notes: what was done."""

    step: Column
    rows: Bool[np.ndarray, " n"]
    notes: tuple[Note, ...] = ()


def count_through(
    step: Column,
    loss: Column,
    epoch: Column | None,
    total: Column | None,
    *,
    job: int | None,
    label: str,
    restarts: bool,
) -> Counted:
    """Steps that go on where a counter started again, and the rows of one job where a log holds several.

    step, loss, epoch, total: [n] in the order written, NaN where missing. total: the steps a job is to take.
    An epoch column: the steps of the epochs before are added. Without it, where the counter starts again at its
    beginning: the loss goes on, so do the steps; else another job begins. The job of the most steps is taken, of
    equally long ones the first, or `job`. restarts: whether to look for these; without them only epochs count.
    Raises InputError where there is no such job.
    """
    notes: list[Note] = []
    if epoch is not None:
        step, note = _through_epochs(step, epoch, total)
        notes += [note] if note else []
    parts = _parts(step, loss) if restarts else []
    jobs, step = _jobs(step, loss, total, parts)
    if len(jobs) < len(parts):
        notes.append(_continued(step, parts, len(parts) - len(jobs), of_one=len(jobs) == 1))
    rows = np.ones(len(step), dtype=bool)
    if job is not None and not 1 <= job <= max(len(jobs), 1):
        raise InputError(f"{label}: no job {job}; the number of jobs in it is {max(len(jobs), 1)}. Choose one of them.")
    if len(jobs) > 1:
        taken = job - 1 if job is not None else int(np.argmax([np.ptp(step[part.rows]) for part in jobs]))
        notes.append(_several(step, loss, jobs, taken))
        rows[: jobs[taken].start], rows[jobs[taken].end :] = False, False
    return Counted(step, rows, tuple(notes))


@dataclass(frozen=True)
class _Part:
    """The rows from `start` to `end` in the order written; rows: [m] those of them that have a loss."""

    start: int
    end: int
    rows: Int[np.ndarray, " m"]


def _through_epochs(step: Column, epoch: Column, total: Column | None) -> tuple[Column, Note | None]:
    """Adds the steps of the epochs before, where the step is the batch of an epoch."""
    there = np.isfinite(step) & np.isfinite(epoch)
    s, e = step[there], epoch[there]
    if len(s) < 2 or (e != np.floor(e)).any() or np.ptp(e) == 0 or np.ptp(e) > 10 * len(s):
        return step, None
    numbers = np.unique(e)
    first = np.array([s[e == number].min() for number in numbers])
    last = np.array([s[e == number].max() for number in numbers])
    if 2 * (first[1:] <= last[:-1]).sum() < len(numbers):  # steps are counted through
        return step, None
    apart = np.diff(np.unique(s))
    lengths = last + (float(np.median(apart)) if len(apart) else 1.0) - first
    known = total[there] if total is not None else np.full(len(s), np.nan)
    if np.isfinite(known).all() and (known == known[0]).all() and known[0] >= last.max():
        lengths[:] = known[0]
    length = float(np.median(lengths[:-1] if len(lengths) > 2 else lengths))
    if np.ptp(lengths[:-1]) <= 0.1 * length:  # all alike but for rows that were not logged
        lengths[:] = lengths[:-1].max()
    before = {numbers[0]: 0.0}
    for k in range(1, len(numbers)):
        skipped = numbers[k] - numbers[k - 1] - 1
        before[numbers[k]] = before[numbers[k - 1]] + lengths[k - 1] + skipped * length
    through = step.copy()
    through[there] = s + np.array([before[number] for number in e])
    begins = f"; epochs before {numbers[0]:g} are not in the log" if numbers[0] > 1 else ""
    text = (
        f"steps are counted within each of {len(numbers)} epochs: those of the epochs before were added, "
        f"{length:g} an epoch{begins}"
    )
    return through, Note("steps-of-epochs", text)


def _parts(step: Column, loss: Column) -> list[_Part]:
    """The parts of a log, each of which begins where the counter starts again; [] where it never does."""
    logged = np.flatnonzero(np.isfinite(step) & np.isfinite(loss) & (loss > 0) & (step >= 0))
    starts = _restarts(step[logged])
    if not starts:
        return []
    begins = [0, *logged[starts].tolist()]
    ends = [*begins[1:], len(step)]
    return [_Part(a, b, logged[(logged >= a) & (logged < b)]) for a, b in zip(begins, ends, strict=True)]


def _restarts(step: Column) -> list[int]:
    """Rows at which the counter starts again near where it began, having been well beyond."""
    apart = np.diff(step)
    back = np.flatnonzero(apart < 0) + 1
    if len(back) == 0:
        return []
    interval = float(np.median(apart[apart > 0])) if (apart > 0).any() else 1.0
    starts: list[int] = []
    for k in back.tolist():
        begun = starts[-1] if starts else 0
        near = step[k] <= step[begun] + 2 * interval
        repeated = int((step[begun:k] >= step[k]).sum())
        alone = (k + 1 == len(step) or step[k + 1] <= step[k]) and not (starts and step[k] == step[begun])
        if near and not alone and (repeated >= FEWEST or (repeated > 1 and step[k] == step[0])):
            starts.append(k)
    out_of_order = len(back) - len(starts)
    return starts if out_of_order * 2 * FEWEST <= len(step) else []


def _jobs(step: Column, loss: Column, total: Column | None, parts: list[_Part]) -> tuple[list[_Part], Column]:
    """Parts that go on from each other, joined, with steps counted through."""
    through, y = step.copy(), np.log(np.where(loss > 0, loss, np.nan))
    jobs = parts[:1]
    for part in parts[1:]:
        job = jobs[-1]
        same = total is None or np.array_equal(total[job.rows[-1:]], total[part.rows[:1]], equal_nan=True)
        if same and _goes_on(through[job.rows], y[job.rows], step[part.rows], y[part.rows]):
            interval = float(np.median(np.abs(np.diff(step[job.rows]))))
            through[part.start : part.end] += through[job.rows].max() + interval - step[part.rows[0]]
            jobs[-1] = _Part(job.start, part.end, np.concatenate([job.rows, part.rows]))
        else:
            jobs.append(part)
    return jobs, through


def _continued(step: Column, parts: list[_Part], times: int, *, of_one: bool) -> Note:
    where = ", ".join(f"{step[part.rows[0]]:g}" for part in parts[1:4])
    more = f" (now step {where}{', ...' if len(parts) > 4 else ''})" if of_one else ""
    text = f"the step counter starts again {_times(times)} while the loss goes on: steps were continued{more}"
    return Note("steps-continued", text)


def _goes_on(step: Column, y: Column, next_step: Column, next_y: Column) -> bool:
    """Whether the first losses of a part lie at the end of the part before, rather than where it was at these steps."""
    noise = 1.4826 * float(np.median(np.abs(np.diff(y[-LAST:])))) / np.sqrt(2) if len(y) > 1 else 0.0
    head = next_y[:FIRST]
    from_end = float(np.median(np.abs(head - np.median(y[-FIRST:]))))
    order = np.argsort(step, kind="stable")
    again = float(np.median(np.abs(head - np.interp(next_step[:FIRST], step[order], y[order]))))
    return bool(from_end < again and from_end <= LEVEL + SCATTER * noise)


def _several(step: Column, loss: Column, jobs: list[_Part], taken: int) -> Note:
    described = [_described(k + 1, step[job.rows], loss[job.rows]) for k, job in enumerate(jobs)]
    others = "; ".join(text for k, text in enumerate(described) if k != taken)
    text = f"{len(jobs)} jobs in this log: {described[taken]}, was read; not read (choose with --job N): {others}"
    return Note("several-jobs", text)


def _described(number: int, step: Column, loss: Column) -> str:
    return f"job {number}, steps {step.min():g} to {step.max():g}, loss {loss[0]:.4g} to {loss[-1]:.4g}"


def _times(k: int) -> str:
    return "once" if k == 1 else f"{k} times"
