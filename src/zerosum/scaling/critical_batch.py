"""The critical batch size at a loss: (S / S_min - 1) (E / E_min - 1) = 1, from runs of several batch sizes.

S steps and E = B S tokens reach the loss; B_crit = E_min / S_min. Solved for S at batch B: S = S_min (1 + B_crit / B).
Source: McCandlish et al. 2018 (arXiv 1812.06162), equation 5.1; Kaplan et al. 2020, section 5.1.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.scaling.law import Law, Logs
from zerosum.scaling.noise import noise_of
from zerosum.scaling.objective import Objective
from zerosum.scaling.power_terms import PowerTerms
from zerosum.scaling.profile import profiles
from zerosum.scaling.reading import read_table
from zerosum.scaling.reason import Reason
from zerosum.scaling.search import Minimum
from zerosum.scaling.table import LossTable

FEWEST_BATCHES = 3
WIDE = 10.0  # ratio of the ends of B_crit's interval above which its order of magnitude is not known
LEVEL = 0.95


def _terms(logs: Logs) -> PowerTerms:
    """theta = (log S_min, log B_crit less the mean log batch)."""
    batch = logs["B"]
    one, none = np.ones_like(batch), np.zeros_like(batch)
    Z = np.array([np.stack([one, none], axis=-1), np.stack([one, one], axis=-1)])
    return PowerTerms(Z, np.stack([none, -batch]))


LAW = Law(
    name="critical-batch",
    form="S = S_min (1 + B_crit / B)",
    variables=("B",),
    names=("log_S_min", "log_B_crit"),
    exponents=("log_B_crit",),
    terms=_terms,
    starts=lambda logs, steps, per_axis: np.column_stack(
        [np.full(per_axis, math.log(steps.min())), np.linspace(logs["B"].min() - 1, logs["B"].max() + 1, per_axis)]
    ),
    published=lambda theta, centre: {"S_min": np.exp(theta[:, 0]), "B_crit": np.exp(theta[:, 1] + centre["B"])},
    source="McCandlish et al. 2018",
    delta=math.inf,
    exponent_ends=(-12.0, 12.0),
)


@dataclass(frozen=True, repr=False)
class CriticalBatch(Record):
    """loss: the target, nats per token. steps: batch in tokens -> steps to the target. S_min: steps at huge batches.
    E_min: tokens at tiny batches. B_crit: tokens per step. verdict: identified, or not, with reasons."""

    loss: float
    steps: dict[float, float]
    S_min: Estimate
    E_min: Estimate
    B_crit: Estimate
    verdict: str
    reasons: tuple[Reason, ...]


def critical_batch(table: Any, loss: float, **reading: Any) -> CriticalBatch:
    """The critical batch at a target loss, from runs of one size at three or more batch sizes.

    table: as for `fit`, with columns batch (tokens per step) and step. Each run should have the best learning rate of
    its batch size; runs of one batch size are averaged. Raises InputError where a run does not cross the loss.
    """
    data = read_table(table, **reading)
    if len(data.sizes) > 1:
        k = int(np.flatnonzero(data.N[0] != data.N)[0])
        raise InputError(
            f"{data.source}: row {k + 1}: N is {data.N[k]:g}, in row 1 {data.N[0]:g}. Give runs of one size."
        )
    for k in np.flatnonzero(~(np.isfinite(data.batch) & (data.step > 0)))[:1]:
        raise InputError(f"{data.source}: row {k + 1}: has no batch or step. Give columns batch (tokens) and step.")
    steps = _steps_to(data, loss)
    if len(steps) < FEWEST_BATCHES:
        raise InputError(f"{data.source}: {len(steps)} batch sizes reach {loss:g}. Give {FEWEST_BATCHES} or more.")
    best = _fit(np.array(list(steps)), np.array(list(steps.values())))
    noise = noise_of(best, np.arange(len(steps)))
    (found,) = profiles(best, noise, ["log_B_crit"])
    S_min, B_crit = (float(value[0]) for value in best.law.published(best.theta[None], best.centre).values())
    low, high = (math.exp(end + best.centre["B"]) for end in found.interval)
    known = low > 0 and high < WIDE * low
    seen = f"batches of {min(steps):g} to {max(steps):g} tokens"
    text = f"{seen} are compatible with a B_crit of {low:.3g} to {high:.3g} tokens"
    reasons = () if known else (Reason("flat-valley", "blocking", text),)
    t = float(stdtrit(len(steps) - 2, (1 + LEVEL) / 2))

    def around(value: float, direction: list[float], unit: str) -> Estimate:
        half = t * math.sqrt(max(float(np.array(direction) @ noise.covariance @ direction), 0.0))
        ends = (value * math.exp(-half), value * math.exp(half))
        return Estimate(value, ends, unit=unit, method="Student's t", N=len(steps), of="batch sizes")

    return CriticalBatch(
        loss=loss,
        steps=steps,
        S_min=around(S_min, [1.0, 0.0], "steps"),
        E_min=around(S_min * B_crit, [1.0, 1.0], "tokens"),
        B_crit=Estimate(
            B_crit,
            (low, high) if known else None,
            "" if known else text,
            unit="tokens per step",
            method="profile",
            N=len(steps),
            of="batch sizes",
        ),
        verdict="identified" if known else "not-identified",
        reasons=(*data.notes, *reasons),
    )


def _fit(batch: np.ndarray, steps: np.ndarray) -> Minimum:
    centre = {"B": float(np.log(batch).mean())}
    logs, log_y = {"B": np.log(batch) - centre["B"]}, np.log(steps)
    goal = Objective(LAW.terms(logs), log_y[None], np.ones((1, len(batch))), LAW.delta)
    ends, values = goal.minimised(LAW.starts(logs, steps, 8), *LAW.ends(log_y))
    place = values.argsort(kind="stable")
    return Minimum(LAW, goal, centre, ends[place[0]], float(values[place[0]]), ends[place], values[place])


def _steps_to(data: LossTable, loss: float) -> dict[float, float]:
    """Batch size -> steps to the loss, the geometric mean over its runs; log-log interpolation between checkpoints."""
    found: dict[float, list[float]] = {}
    for run in dict.fromkeys(data.run):
        rows = np.flatnonzero([name == run for name in data.run])
        rows = rows[data.step[rows].argsort()]
        below = np.flatnonzero(data.loss[rows] <= loss)
        if len(below) == 0 or below[0] == 0:
            where = "never reaches" if len(below) == 0 else "begins below"
            raise InputError(
                f"{data.source}: row {rows[0] + 1}: run {run[:60]!r} {where} the loss {loss:g}. Choose another target, "
                "or leave the run out."
            )
        a, b = rows[below[0] - 1], rows[below[0]]
        share = math.log(data.loss[a] / loss) / math.log(data.loss[a] / data.loss[b])
        crossed = math.log(data.step[a]) + share * math.log(data.step[b] / data.step[a])
        found.setdefault(float(data.batch[a]), []).append(crossed)
    return {batch: math.exp(float(np.mean(logs))) for batch, logs in sorted(found.items())}
