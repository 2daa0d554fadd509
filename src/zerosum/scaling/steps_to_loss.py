"""Steps that runs of several batch sizes take to a loss, each batch size with its best learning rate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zerosum.errors import InputError
from zerosum.scaling.reason import Reason
from zerosum.scaling.table import LossTable

NO_RATE = 0.0  # key of runs without a learning rate


@dataclass(frozen=True)
class StepsToLoss:
    """steps: batch in tokens -> steps to the loss with its best rate. rates: batch -> that rate, or NO_RATE."""

    steps: dict[float, float]
    rates: dict[float, float]
    reasons: tuple[Reason, ...]


def steps_to_loss(data: LossTable, loss: float) -> StepsToLoss:
    """Steps to the loss: the geometric mean over the runs of a batch size and rate, at the rate with the fewest.

    A rate counts where all of its runs reach the loss. Raises InputError for a batch size without such a rate.
    """
    runs = _runs(data)
    logs: dict[float, dict[float, list[float]]] = {}
    for rows in runs:
        rate = float(np.max(rows.lr, initial=NO_RATE, where=np.isfinite(rows.lr)))
        logs.setdefault(float(rows.batch[0]), {}).setdefault(rate, []).append(_log_crossing(rows, loss))
    means = {
        batch: {rate: float(np.mean(found)) for rate, found in rates.items() if np.isfinite(found).all()}
        for batch, rates in sorted(logs.items())
    }
    for batch in (batch for batch, rates in means.items() if not rates):
        rows = next(rows for rows in runs if rows.batch[0] == batch and math.isnan(_log_crossing(rows, loss)))
        where = "begins below" if rows.loss[rows.step.argmin()] <= loss else "never reaches"
        raise InputError(
            f"{data.source}: run {rows.run[0][:60]!r} (batch {batch:g}) {where} the loss {loss:g}. Choose another "
            f"target{crossed_by_all(data)}, or leave the run out."
        )
    best = {batch: min(rates, key=rates.__getitem__) for batch, rates in means.items()}
    steps = {batch: math.exp(means[batch][rate]) for batch, rate in best.items()}
    return StepsToLoss(steps, best, _notes(logs, means, best))


def _log_crossing(rows: LossTable, loss: float) -> float:
    """Log of the step at which a run reaches the loss, by a line in log loss and log step; NaN where it does not."""
    order = rows.step.argsort()
    log_step, log_loss = np.log(rows.step[order]), np.log(rows.loss[order] / loss)
    below = np.flatnonzero(log_loss <= 0)
    if len(below) == 0 or below[0] == 0:
        return math.nan
    a, b = below[0] - 1, below[0]
    share = log_loss[a] / (log_loss[a] - log_loss[b])
    return float(log_step[a] + share * (log_step[b] - log_step[a]))


def _runs(data: LossTable) -> list[LossTable]:
    return [data.rows(data.run_number == k) for k in range(len(set(data.run)))]


def crossed_by_all(data: LossTable) -> str:
    """The losses that every run crosses, for a message; "" where there are none."""
    runs = _runs(data)
    low, high = max(rows.loss.min() for rows in runs), min(rows.loss[rows.step.argmin()] for rows in runs)
    return f" (every run crosses {low:.4g} to {high:.4g})" if low < high else ""


def _notes(
    logs: Mapping[float, Mapping[float, object]],
    means: Mapping[float, Mapping[float, float]],
    best: Mapping[float, float],
) -> tuple[Reason, ...]:
    """Rates that are left out, and best rates at an end of those tried."""
    left_out = [f"{rate:g} (batch {batch:g})" for batch in logs for rate in sorted(logs[batch].keys() - means[batch])]
    at_end = [
        f"{batch:g}"
        for batch, rate in best.items()
        if len(logs[batch]) > 1 and rate in (min(logs[batch]), max(logs[batch]))
    ]
    notes = []
    if left_out:
        text = f"learning rates with which a run does not reach the loss are left out: {', '.join(left_out)}"
        notes.append(Reason("rates-left-out", "note", text))
    if at_end:
        text = f"the best learning rate is the smallest or largest tried at batch {', '.join(at_end)}"
        notes.append(Reason("rate-at-end", "note", text))
    return tuple(notes)
