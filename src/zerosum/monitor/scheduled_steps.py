"""What is done before and after a scheduled update, within the cost that was chosen."""

from typing import Any

import numpy as np
from jaxtyping import Int64

from zerosum.errors import InputError
from zerosum.monitor import names
from zerosum.monitor.asked import Asked
from zerosum.monitor.cost import Cost
from zerosum.monitor.doubles import double_changes
from zerosum.monitor.guards import Guards
from zerosum.monitor.log import Log
from zerosum.monitor.measured import Measured
from zerosum.monitor.probe import Around, Probe
from zerosum.monitor.remembered import RememberedLosses
from zerosum.monitor.running_verdict import FIRST_FIT, RunningVerdict
from zerosum.monitor.warm_up import seconds_of_changes, seconds_of_fit
from zerosum.tokens import PADDING, token_ids

BEFORE, AFTER, FIT = "before", "after", "fit"
"""Kinds of work: what is done before an update beside forward passes, what after it, and the fit of the loss curve."""


class ScheduledSteps:
    """preset: name of the cost. seed: of intervals and nulls. latest: the record of the last step that was measured."""

    def __init__(
        self,
        probe: Probe,
        remembered: RememberedLosses,
        verdict: RunningVerdict,
        asked: Asked,
        cost: Cost,
        guards: Guards,
        log: Log,
        preset: str,
        seed: int,
    ):
        self._probe, self._remembered, self._verdict, self._asked = probe, remembered, verdict, asked
        self._cost, self._guards, self._log, self._seed = cost, guards, log, seed
        self._limit = f"cost {preset} (at most {100 * cost.limit:g} % of training time)"
        if cost.is_limited:
            n_groups = len(asked.groups.labels.names) if asked.groups else 0
            whole = probe.sizes[0]
            cost.learn(AFTER, seconds_of_changes(whole.sequences, whole.predictions, n_groups))
            cost.learn(FIT, seconds_of_fit())
        self.latest: Measured | None = None

    def before(self, step: int, batch: Any) -> Around | None:
        """Losses before a scheduled update; None where it is left out."""
        with self._cost.rest(BEFORE):
            of_batch = self._ids_of(step, batch)
            if of_batch is not None:
                self._guards.overlap(step, self._probe.ids, of_batch)
            around = None
            if self._fits(step):
                around = self._probe.before(of_batch, self._reserved + self._cost.predicted(FIT))
            around = around or self._probe.before(of_batch, self._reserved)
            if around is not None:
                around = self._asked.before(step, around, self._reserved)
        if around is None:
            self._leave_out(step)
        elif (part := around.ids["heldout"]).shape != (whole := self._probe.ids.shape):
            predicted = "" if part.shape[1] == whole[1] else f", the first {part.shape[1] - 1} predictions of each"
            self._guards.tell(
                "shrunk",
                f"step {step}: {len(part)} of {whole[0]} held-out sequences measured{predicted}, to keep to "
                f"{self._limit}.",
            )
        return around

    def _ids_of(self, step: int, batch: Any) -> Int64[np.ndarray, "s L"] | None:
        """Ids of the batch; None, which is told, where they cannot be measured."""
        if batch is None:
            return None
        try:
            ids = token_ids(batch)
            if ids.min() < PADDING:
                raise InputError(f"tokens: {ids.min()} is no id. Give the ids of the inputs, not labels.")
        except InputError as error:
            self._guards.tell("batch", f"step {step}: the batch is not measured. {error}")
            return None
        return ids

    def after(self, step: int, around: Around) -> Measured | None:
        """The record of a scheduled update, logged."""
        with self._cost.rest(AFTER):
            if not self._probe.after(around, self._cost.predicted(AFTER)):
                self._leave_out(step)
                self._guards.cost(step, self._cost.share, self._cost.limit)
            elif not around.is_finite:
                self._guards.tell("probe-not-finite", f"step {step}: a loss of held-out tokens is not finite.")
            else:
                self.latest = self._record(step, around)
                return self.latest
        return None

    @property
    def _reserved(self) -> float:
        """Seconds of a measurement beside its forward passes and its fit."""
        return self._cost.predicted(BEFORE) + self._cost.predicted(AFTER)

    def _leave_out(self, step: int) -> None:
        first = self._cost.first_step(step, self._probe.smallest(self._reserved))
        self._guards.tell(
            "thinned",
            f"step {step}: left out to keep to {self._limit}, and so are scheduled steps before about step {first:,}, "
            "if updates go on at this speed.",
        )
        self._cost.forget_longest()

    def _record(self, step: int, around: Around) -> Measured:
        now = around.before["heldout"]
        one_step = self._probe.changes(step, around, self._seed)
        double = double_changes(self._remembered, step, now, self._probe, self._seed, self._asked.groups)
        if self._remembered.add(step, now):
            self._guards.tell("memory", f"step {step}: remembered losses reached 64 MiB: pairs t to 2t are left out.")
        loss = one_step[0].changes.loss
        if one_step[0].measured.M == 0:
            self._guards.unchanged(step)
        self._guards.multiple_of_measured(step, loss)
        others = self._fit(step)
        if total := self._verdict.total_steps:
            others |= {names.TOTAL_STEPS: float(total)}
        asked = self._asked.after(step, around)
        sequences = len(now), len(self._probe.ids)
        # The time up to here belongs to the cost that is logged here.
        self._cost.leave()
        cost = self._cost.share
        self._guards.cost(step, cost, self._cost.limit)
        asked["warnings"] = self._guards.count
        measured = Measured(step, loss, one_step, double, self._verdict.fitted, sequences, cost, others, **asked)
        self._log.values(step, measured.values(), measured.reason)
        return measured

    def _fits(self, step: int) -> bool:
        """Whether the loss curve is to be fitted at this step."""
        return step >= FIRST_FIT and bool(self._verdict.bins.sums)

    def _fit(self, step: int) -> dict[str, float]:
        """The numbers of the running verdict; none where the cost does not allow a fit."""
        self._verdict.fitted = None
        if not self._fits(step):
            return {}
        if not self._cost.allows(seconds := self._cost.predicted(FIT)):
            first = self._cost.first_step(step, seconds)
            self._guards.tell(
                "no-fit",
                f"step {step}: the loss curve is not fitted before about step {first:,}, to keep to {self._limit}.",
            )
            return {}
        with self._cost.work(FIT):
            return self._verdict.update(step)
