"""What is done before and after a scheduled update, within the cost that was chosen."""

import math
import time
from typing import Any

from torch.distributed.tensor import DTensor

from zerosum.errors import InputError
from zerosum.monitor.cost import Cost
from zerosum.monitor.guards import Guards
from zerosum.monitor.log import Log
from zerosum.monitor.measured import Measured, pair
from zerosum.monitor.probe import FEWEST, Around, Probe
from zerosum.monitor.remembered import RememberedLosses
from zerosum.monitor.running_verdict import FIRST_FIT, RunningVerdict
from zerosum.monitor.warm_up import seconds_of_changes, seconds_of_fit
from zerosum.tokens import token_ids


class ScheduledSteps:
    """preset: name of the cost. seed: of intervals and nulls. latest: the record of the last step that was measured."""

    def __init__(
        self,
        probe: Probe,
        remembered: RememberedLosses,
        verdict: RunningVerdict,
        cost: Cost,
        guards: Guards,
        log: Log,
        preset: str,
        seed: int,
    ):
        self._probe, self._remembered, self._verdict = probe, remembered, verdict
        self._cost, self._guards, self._log, self._preset, self._seed = cost, guards, log, preset, seed
        if cost.limit < math.inf:
            cost.fixed = seconds_of_changes(*probe.ids[:, 1:].shape)
            cost.fit = seconds_of_fit()
        self.latest: Measured | None = None

    def before(self, step: int, batch: Any) -> Around | None:
        """Losses before a scheduled update; None where it is left out."""
        if any(isinstance(parameter, DTensor) for parameter in self._probe.model.parameters()):
            raise InputError("the processes share the weights (DTensor); the monitor needs whole ones.")
        started, forward = time.perf_counter(), self._probe.forward_seconds
        of_batch = None if batch is None else token_ids(batch)
        if of_batch is not None:
            self._guards.overlap(step, self._probe.ids, of_batch)
        around = self._probe.before(of_batch)
        limit = f"cost {self._preset} (at most {100 * self._cost.limit:g} % of training time)"
        if around is None:
            first = self._cost.first_step(step, min(FEWEST, len(self._probe.ids)))
            self._guards.tell(
                "thinned",
                f"step {step}: left out to keep to {limit}, and so are scheduled steps before about step {first:,}, if "
                "updates go on at this speed.",
            )
        elif (n := len(around.ids["heldout"])) < (wanted := len(self._probe.ids)):
            self._guards.tell("shrunk", f"step {step}: {n} of {wanted} held-out sequences measured to keep to {limit}.")
        self._seconds_before = time.perf_counter() - started - (self._probe.forward_seconds - forward)
        return around

    def after(self, step: int, around: Around) -> Measured | None:
        """The record of a scheduled update, logged."""
        started, forward = time.perf_counter(), self._probe.forward_seconds
        self._probe.after(around)
        if not around.is_finite:
            self._guards.tell("probe-not-finite", f"step {step}: a loss of held-out tokens is not finite.")
            return None
        now = around.before["heldout"]
        one_step = self._probe.changes(step, around, self._seed)
        double = self._remembered.changes(step, now, self._probe.document, self._seed)
        if self._remembered.add(step, now):
            self._guards.tell("memory", f"step {step}: remembered losses reached 64 MiB: pairs t to 2t are left out.")
        loss = one_step[0].changes.loss
        if one_step[0].measured.M == 0:
            self._guards.unchanged(step)
        self._guards.multiple_of_measured(step, loss)
        others, of_fit = self._fit(step)
        sequences = len(now), len(self._probe.ids)
        of_double = None if double is None else pair(double[0], step, double[1])
        # The time up to here belongs to the cost that is logged here.
        self._cost.leave()
        self.latest = measured = Measured(
            step, loss, one_step, of_double, self._verdict.fitted, sequences, self._cost.share, others
        )
        self._guards.cost(step, self._cost.share, self._cost.limit)
        self._log.values(step, measured.values(), measured.reason)
        in_passes = self._probe.forward_seconds - forward
        self._cost.learn_fixed(self._seconds_before + time.perf_counter() - started - in_passes - of_fit)
        return measured

    def _fit(self, step: int) -> tuple[dict[str, float], float]:
        """The numbers of the running verdict, and the seconds they took; none where the cost does not allow a fit."""
        self._cost.leave()
        if step >= FIRST_FIT and self._verdict.bins.sums and not self._cost.allows_fit:
            self._verdict.fitted = None
            first = round((step + 1) * (self._cost.spent + self._cost.fit) / self._cost.limit / self._cost.trained)
            self._guards.tell(
                "no-fit",
                f"step {step}: the loss curve is not fitted before about step {first:,}: a fit costs much.",
            )
            return {}, 0.0
        started = time.perf_counter()
        others = self._verdict.update(step)
        seconds = time.perf_counter() - started
        if self._verdict.fitted is not None:
            self._cost.learn_fit(seconds)
        return others, seconds
