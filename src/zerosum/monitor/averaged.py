"""Losses at a running average of the weights, which separates noise of the updates from opposition between tokens.

At step t the average is over iterates up to step t, those after t updates.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from zerosum.checkpoints import parse_average
from zerosum.checkpoints.running_averages import RunningAverages
from zerosum.errors import InputError
from zerosum.monitor.cost import Cost
from zerosum.monitor.neutral import switches_weights
from zerosum.monitor.schedule import Schedule

AVERAGING = "averaging"
MOST_WINDOWS = 4
"""Windows of the last K that may be open at once: each holds a copy of the weights."""
MOST_OF_LIMIT = 0.5
"""Share of the limit that averaging may take; the rest is for measuring."""
FIRST_CHECK = 64  # averaged updates; before, their time is not known well
STATE = "average/"


class AveragedWeights:
    """The average `form` ("last:K", "ema:BETA") of the trained parameters of a model, update by update.

    Memory: 8 bytes a parameter, and as many again for each further window that is open. is_on: False once the averaging
    was too dear for the limit. Raises InputError for another form, for more than four open windows, and for an
    optimizer that averages by itself.
    """

    def __init__(self, form: str, model: Any, optimizers: Sequence[Any], schedule: Schedule, cost: Cost):
        self._form, self._model, self._schedule, self._cost = parse_average(form), model, schedule, cost
        if self._form.steps:
            raise InputError(f"average {form}: steps. While a model trains, give last:K or ema:BETA.")
        if any(map(switches_weights, optimizers)):
            raise InputError(f"average {form}: this optimizer evaluates averaged weights by itself. Leave it out.")
        if self._form.last and (windows := schedule.most_within(self._form.last)) > MOST_WINDOWS:
            raise InputError(
                f"average {form}: {windows} windows would be open at once, each with a copy of the weights. Give fewer "
                f"iterates, or ema:{1 - 1 / self._form.last:.3g}."
            )
        self._averages: RunningAverages | None = None
        self._first, self._last = 0, -1
        self._seconds, self._times = 0.0, 0
        self.is_on = True

    def add(self, step: int) -> None:
        """Take in the weights of a step, after the update that led to it. After a gap the average begins anew."""
        if self._averages is None or step != self._last + 1:
            self._begin(step - 1)
        assert self._averages is not None  # noqa: S101 - just begun
        if step - 1 in self._schedule:
            self._averages.forget(step - 1)
        self._last = step
        if not self._averages.needs(step):
            return
        with self._cost.work(AVERAGING):
            weights = [weight.detach() for weight in self._parameters()]
            on_cpu = weights[0].device.type == "mps"  # has no float64
            self._averages.add(step, [weight.cpu() for weight in weights] if on_cpu else weights)
        self._seconds += self._cost.recent[AVERAGING][-1]
        self._times += 1
        if self._times >= FIRST_CHECK and self._seconds > MOST_OF_LIMIT * self._cost.limit * self._cost.trained:
            self.is_on, self._averages = False, None

    def is_known(self, step: int) -> bool:
        """Whether the average at a scheduled step can be measured; not at the start, where it is the weights."""
        return self._averages is not None and self._last == step and step > self._first

    @contextmanager
    def in_model(self, step: int) -> Iterator[None]:
        """The model has the average at this step inside the block, and the very tensors it had before after it."""
        assert self._averages is not None  # noqa: S101 - see `is_known`
        averages = self._averages.average(self._form, step)
        assert averages is not None  # noqa: S101 - see `is_known`
        data = [(parameter, parameter.data) for parameter in self._parameters()]
        try:
            for (parameter, own), average in zip(data, averages, strict=True):
                parameter.data = average.to(own.device, own.dtype)
            yield
        finally:
            for parameter, own in data:
                parameter.data = own

    def state(self) -> dict[str, Any]:
        """The first and the last step, and tensors `average/...`; empty before the first update."""
        if self._averages is None:
            return {}
        tensors = {f"{STATE}{name}": tensor for name, tensor in self._averages.state_dict().items()}
        return {"averaged": [self._form.text, self._first, self._last], **tensors}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state; where it has no average of this form, it begins anew."""
        form, first, last = state.get("averaged", ("", 0, 0))
        if form == self._form.text:
            self._begin(int(first))
            assert self._averages is not None  # noqa: S101 - just begun
            self._last = int(last)
            tensors = {name: value for name, value in state.items() if name.startswith(STATE)}
            self._averages.load_state_dict({name.removeprefix(STATE): value for name, value in tensors.items()})

    def _begin(self, first: int) -> None:
        self._first, self._averages = first, RunningAverages([self._form], first, self._schedule)

    def _parameters(self) -> list[Tensor]:
        return [parameter for parameter in self._model.parameters() if parameter.requires_grad]
