"""The critical batch size at a loss: (S / S_min - 1) (E / E_min - 1) = 1, from runs of several batch sizes.

S steps and E = B S tokens reach the loss; B_crit = E_min / S_min. Solved for S at batch B: S = S_min (1 + B_crit / B).
Source: McCandlish et al. 2018 (arXiv 1812.06162), equation 5.1; Kaplan et al. 2020, section 5.1.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

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
from zerosum.scaling.steps_to_loss import NO_RATE, StepsToLoss, crossed_by_all, steps_to_loss

FEWEST_BATCHES = 3
OTHER_BATCH = 0.1  # relative; D / step of runs with a constant batch is the batch
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
    """loss: the target, nats per token. steps: batch in tokens -> steps to the target. rates: batch -> learning rate
    that needs so few, 0 where none is given. S_min: steps at huge batches. E_min: tokens at tiny batches. B_crit:
    tokens per step. verdict: identified, or not, with reasons."""

    loss: float
    steps: dict[float, float]
    rates: dict[float, float]
    S_min: Estimate
    E_min: Estimate
    B_crit: Estimate
    verdict: Literal["identified", "not-identified"]
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "name": LAW.name,
            "form": LAW.form,
            "loss": self.loss,
            "loss_unit": "nats per token",
            **{name: getattr(self, name).to_json() for name in ("B_crit", "S_min", "E_min")},
            "batches": [
                {"batch": batch, "steps": steps, "lr": None if self.rates[batch] == NO_RATE else self.rates[batch]}
                for batch, steps in self.steps.items()
            ],
            "verdict": self.verdict,
            "reasons": [vars(reason) for reason in self.reasons],
        }


def critical_batch(table: Any, loss: float | None, **reading: Any) -> CriticalBatch:
    """The critical batch at a target loss, from runs of one size at three or more batch sizes.

    table: as for `fit`, with columns batch (tokens per step) and step. Runs of one batch size are averaged. With a
    column lr, runs of one batch size and rate are, and the rate with the fewest steps is taken for each batch size.
    Raises InputError for a batch size of which no rate reaches the loss with all its runs.
    """
    data = read_table(table, **reading)
    if len(data.sizes) > 1:
        k = int(np.flatnonzero(data.N[0] != data.N)[0])
        raise InputError(
            f"{data.source}: row {k + 1}: N is {data.N[k]:g}, in row 1 {data.N[0]:g}. Choose one size, as by --where."
        )
    for k in np.flatnonzero(~(np.isfinite(data.batch) & (data.step > 0)))[:1]:
        raise InputError(f"{data.source}: row {k + 1}: has no batch or step. Give columns batch (tokens) and step.")
    per_step = data.D / data.step
    for k in np.flatnonzero(np.abs(per_step / data.batch - 1) > OTHER_BATCH)[:1]:
        raise InputError(
            f"{data.source}: row {k + 1}: batch is {data.batch[k]:g}, but D / step is {per_step[k]:g} (a batch in "
            "sequences?). Give batch in tokens."
        )
    if loss is None or not (math.isfinite(loss) and loss > 0):
        raise InputError(
            f"{data.source}: critical-batch needs a target{crossed_by_all(data)}. Give --set target=LOSS (loss=)."
        )
    reached = steps_to_loss(data, loss)
    if len(reached.steps) < FEWEST_BATCHES:
        n = len(reached.steps)
        raise InputError(f"{data.source}: {n} batch sizes reach {loss:g}. Give {FEWEST_BATCHES} or more.")
    return _measured(loss, reached, data.notes)


def _measured(loss: float, reached: StepsToLoss, notes: tuple[Reason, ...]) -> CriticalBatch:
    steps = reached.steps
    best = _fit(np.array(list(steps)), np.array(list(steps.values())))
    noise, t = noise_of(best, np.arange(len(steps))), float(stdtrit(len(steps) - 2, (1 + LEVEL) / 2))
    noise = replace(noise, t=t, threshold=noise.threshold * (t / noise.t) ** 2)
    (profile,) = profiles(best, noise, ["log_B_crit"])
    S_min, B_crit = (float(value[0]) for value in best.law.published(best.theta[None], best.centre).values())
    low, high = (math.exp(end + best.centre["B"]) for end in profile.interval)
    known = low > 0 and high < WIDE * low
    seen = f"batches of {min(steps):g} to {max(steps):g} tokens"
    text = f"{seen} are compatible with a B_crit of {low:.3g} to {high:.3g} tokens"
    reasons = () if known else (Reason("flat-valley", "blocking", text),)

    def around(value: float, direction: list[float], unit: str) -> Estimate:
        half = t * math.sqrt(max(float(np.array(direction) @ noise.covariance @ direction), 0.0))
        ends = (value * math.exp(-half), value * math.exp(half))
        return Estimate(value, ends, unit=unit, method="Student's t", N=len(steps), of="batch sizes")

    return CriticalBatch(
        loss=loss,
        steps=steps,
        rates=reached.rates,
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
        reasons=(*notes, *reached.reasons, *reasons),
    )


def _fit(batch: np.ndarray, steps: np.ndarray) -> Minimum:
    centre = {"B": float(np.log(batch).mean())}
    logs, log_y = {"B": np.log(batch) - centre["B"]}, np.log(steps)
    goal = Objective(LAW.terms(logs), log_y[None], np.ones((1, len(batch))), LAW.delta)
    ends, values = goal.minimised(LAW.starts(logs, steps, 8), *LAW.ends(log_y))
    place = values.argsort(kind="stable")
    return Minimum(LAW, goal, centre, ends[place[0]], float(values[place[0]]), ends[place], values[place])
