"""Measurements that are made only where they are asked for, and each only where the cost allows it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float32
from torch import distributed

from zerosum.gradients import GradientInterference
from zerosum.interference.labelled import MeasuredGroups
from zerosum.monitor.averaged import AVERAGING, AveragedWeights
from zerosum.monitor.cost import Cost
from zerosum.monitor.doubles import double_changes
from zerosum.monitor.guards import Guards
from zerosum.monitor.micro_steps import MicroBatch, MicroSteps
from zerosum.monitor.probe import Around, Probe
from zerosum.monitor.remembered import RememberedLosses
from zerosum.monitor.schedule import Schedule
from zerosum.monitor.token_gradients import TokenGradients
from zerosum.monitor.token_groups import TokenGroups


class Asked:
    """groups, average, gradients: as for `Monitor`, each None where not asked for.

    optimizers: some evaluate at other weights than they train at. seed: of samples, intervals and nulls.
    Raises InputError for what cannot be measured.
    """

    def __init__(
        self,
        probe: Probe,
        schedule: Schedule,
        cost: Cost,
        guards: Guards,
        seed: int,
        *,
        optimizers: Sequence[Any],
        probe_tokens: Any,
        groups: Any,
        average: str | None,
        gradients: str | None,
    ):
        self._probe, self._cost, self._guards, self._seed = probe, cost, guards, seed
        self._at_average = RememberedLosses(schedule, "average-losses-")
        self.groups = None if groups is None else TokenGroups.of(groups, probe_tokens, probe.ids)
        self.average = None if average is None else AveragedWeights(average, probe.model, optimizers, schedule, cost)
        self.gradients = None if gradients is None else TokenGradients(gradients, probe.model, optimizers, cost, seed)
        self._micro_steps = MicroSteps(probe.model, cost)

    def micro_batch(self, step: int, batch: MicroBatch) -> None:
        """See `MicroSteps.add`."""
        if distributed.is_initialized() and distributed.get_world_size() > 1:
            self._guards.tell("micro-batches", "micro-batches of several processes are not measured.")
        elif not self._micro_steps.add(step, batch):
            self._guards.tell("no-micro-batches", f"step {step}: its micro-batches are not measured: cost.")

    def has_work(self) -> bool:
        """Whether there is anything to do after an update beside measuring."""
        return self.average is not None or (self.gradients is not None and self.gradients.is_waiting)

    def after_update(self, step: int) -> None:
        """Let go of what only this step needed, and take the new weights into their average."""
        if self.gradients is not None:
            self.gradients.forget()
        if self.average is not None:
            self.average.add(step + 1)
            if not self.average.is_on:
                self._guards.tell(
                    "average-off",
                    f"step {step}: weights are not averaged any more: that takes "
                    f"{self._cost.predicted(AVERAGING):.1g} s an update, more than half of what the cost allows.",
                )
                self.average = None

    def before(self, step: int, around: Around, reserved: float) -> Around:
        """What is measured before an update. reserved: seconds of what is measured at this step anyway."""
        if self._probe.shares_weights and (self.average or self.gradients):
            self.average = self.gradients = None
            self._guards.tell("asked-off", "averages and gradients of weights that processes share are not measured.")
        reserved += sum(map(self._cost.predicted, around.passes))
        if self.average is not None and self.average.is_known(step):
            seconds = self._cost.predicted(around.passes[0])
            if self._allows(step, "averaged weights", seconds, reserved):
                with self.average.in_model(step):
                    around = replace(around, at_average=self._probe.losses(around.ids["heldout"]))
        if self.gradients is not None and self._allows(step, "gradients", self.gradients.predicted(), reserved):
            try:
                self.gradients.before()
            except Exception as error:  # noqa: BLE001  # copies of models of others raise anything
                self._end_gradients(step, error)
        return around

    def after(self, step: int, around: Around) -> dict[str, Any]:
        """Fields of the record `Measured`."""
        before, after = around.before["heldout"], around.after["heldout"]
        fields: dict[str, Any] = {
            "groups": self.groups_of(before, after),
            "noise": self._micro_steps.record(step),
            "gradients": self._first_order(step, around),
        }
        if (losses := around.at_average) is not None:
            fields["loss_average"] = float(np.nanmean(losses, dtype=np.float64))
            fields["double_average"] = double_changes(self._at_average, step, losses, self._probe, self._seed)
            self._at_average.add(step, losses)
        return fields

    def groups_of(self, before: Float32[np.ndarray, "s t"], after: Float32[np.ndarray, "s t"]) -> MeasuredGroups | None:
        """Changes of held-out tokens by group; None where no groups were asked for, or no loss changed."""
        if self.groups is None:
            return None
        return self.groups.measure(before, after, self._probe.documents(before), self._seed)

    def _first_order(self, step: int, around: Around) -> GradientInterference | None:
        gradients = self.gradients
        if gradients is None or not gradients.is_waiting:
            return None
        if not self._allows(step, "gradients", gradients.predicted(), 0.0):
            return None
        try:
            return gradients.after(around.ids["heldout"], self._probe.documents(around.before["heldout"]))
        except Exception as error:  # noqa: BLE001  # losses are still measured
            self._end_gradients(step, error)
            return None

    def _end_gradients(self, step: int, error: Exception) -> None:
        self.gradients = None
        cause = " ".join(str(error).split())[:300]
        self._guards.tell("gradients-off", f"step {step}: gradients are not measured. {type(error).__name__}: {cause}")

    def _allows(self, step: int, what: str, seconds: float, reserved: float) -> bool:
        if allowed := self._cost.allows(seconds + reserved):
            return allowed
        first = self._cost.first_step(step, seconds + reserved)
        self._guards.tell(f"no-{what}", f"step {step}: {what} are not measured before about step {first:,}: cost.")
        return False

    def state(self) -> dict[str, Any]:
        """For JSON, and tensors."""
        return {**(self.average.state() if self.average else {}), **self._at_average.state()}

    def load(self, state: Mapping[str, Any], *, same_probe: bool) -> None:
        """Continue from a state."""
        if self.average is not None:
            self.average.load(state)
        if same_probe:
            self._at_average.load(state)
