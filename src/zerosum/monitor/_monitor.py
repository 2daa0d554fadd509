"""The live monitor: what each update does to held-out tokens, while a model trains. Knows no training loop.

A step counts the updates made so far, as in `checkpoint-<step>`.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from zerosum.errors import InputError
from zerosum.monitor.asked import Asked
from zerosum.monitor.cost import Cost, limit_of
from zerosum.monitor.guards import LOGGER, Guards, Tell
from zerosum.monitor.log import Log
from zerosum.monitor.measured import Measured
from zerosum.monitor.micro_steps import MicroBatch
from zerosum.monitor.probe import Around, Probe
from zerosum.monitor.processes import Processes, is_main
from zerosum.monitor.remembered import RememberedLosses
from zerosum.monitor.running_verdict import RunningVerdict
from zerosum.monitor.schedule import Schedule, parse_schedule
from zerosum.monitor.scheduled_steps import ScheduledSteps
from zerosum.monitor.state_files import load_state, save_state
from zerosum.monitor.training_losses import TrainingLosses


class Monitor:
    """Measures held-out tokens around scheduled updates of a model, and leaves training as it is.

        monitor = zerosum.Monitor(model, probe_tokens, log=wandb.log)
        with monitor.step(step, loss=loss):
            optimizer.step()

    probe_tokens: held-out ids, [S, L] integers, -1 where a sequence is padded at its end; or `TokenSequences`.
    schedule: "log2", "every(k)" or a list of steps. cost: "economy" (under 1 % of training time), "business" (under
    5 %), "full". log: a function called as log(values, step=step), a SummaryWriter, or the path of a file of JSON
    lines. optimizer: or a list of them, for the learning rate of the first, and because some evaluate at other weights
    than they train at (schedule-free).
    total_steps: for the expected loss at the end. tell: receives each warning; by default logging's "zerosum.monitor".
    seed: of intervals and nulls. tokens_per_batch: predictions in one forward pass.

    groups: of the held-out tokens: a label of each id, [S, L], or a grouping of `zerosum interference --by` that needs
    no losses, as "position". average: "last:K" or "ema:BETA": measures changes from t to 2t also at this average of the
    weights. gradients: "sampled": measures C_g, C_ug and C_uG of scheduled updates.

    Of several processes the main one measures; where they share the weights, each has to have a monitor. Raises
    InputError for wrong arguments; an error while a model trains is told once, and the monitor switches itself off.
    """

    def __init__(
        self,
        model: Any,
        probe_tokens: Any,
        *,
        schedule: str | Iterable[int] | Schedule = "log2",
        cost: str = "business",
        log: Any = None,
        optimizer: Any = None,
        total_steps: int | None = None,
        tell: Tell | None = None,
        seed: int = 0,
        tokens_per_batch: int | Literal["auto"] = "auto",
        groups: Any = None,
        average: str | None = None,
        gradients: str | None = None,
    ):
        self.schedule, self._cost = parse_schedule(schedule), Cost(limit_of(cost))
        optimizers = optimizer if isinstance(optimizer, list | tuple) else () if optimizer is None else (optimizer,)
        self._processes = Processes()
        self._probe = Probe(model, probe_tokens, optimizers, self._cost, self._processes, tokens_per_batch)
        self._guards = Guards(tell or LOGGER.warning)
        self._log, self._verdict = Log(log, self._guards), RunningVerdict(total_steps)
        self._losses = TrainingLosses(optimizers, self._verdict, self._guards, self._log)
        self._remembered = RememberedLosses(self.schedule)
        asked = {"probe_tokens": probe_tokens, "groups": groups, "average": average, "gradients": gradients}
        self._asked = Asked(self._probe, self.schedule, self._cost, self._guards, seed, optimizers=optimizers, **asked)
        self._scheduled = ScheduledSteps(
            self._probe, self._remembered, self._verdict, self._asked, self._cost, self._guards, self._log, cost, seed
        )
        self._updates: Callable[[int, Any], bool] = lambda step, batch: True
        self._with_gradients = gradients is not None
        self._begun: int | None = None  # a scheduled step, in every process
        self._around: Around | None = None
        self._is_on = True
        weakref.finalize(self, self._losses.look)

    @property
    def latest(self) -> Measured | None:
        """The record of the last step that was measured."""
        return self._scheduled.latest

    @property
    def warnings(self) -> int:
        """How many were told so far in the run."""
        return self._guards.count

    @contextmanager
    def step(self, step: int, *, loss: Any = None, lr: float | None = None, batch: Any = None) -> Iterator[None]:
        """Around one update, and nothing else. step: updates made before it.

        loss: of training, nats per token, a number or tensor; the running verdict needs it. lr: by default that of the
        optimizer's first group. batch: token ids of the update, [s, L], to measure these tokens, too.
        """
        if not self._updates(step, batch):
            yield
            return
        self.before_update(step, batch=batch)
        try:
            yield
        except BaseException:
            self._begun = None
            raise
        self.after_update(step, loss=loss, lr=lr)

    def prepare(self, accelerator: Any) -> "Monitor":
        """The same monitor in a loop of Hugging Face's accelerate (see `zerosum.monitor.accelerate`)."""
        import_module("zerosum.monitor.accelerate").prepare(self, accelerator)
        return self

    def host(self, *, log: Any, updates: Callable[[int, Any], bool]) -> None:
        """For hosts. log: used where the user chose none. updates: of step and batch, whether there is an update."""
        self._updates = updates
        self._log.use(log)

    def tell(self, code: str, message: str) -> None:
        """For hosts: tell a sign of this kind once."""
        self._guards.tell(code, message)

    def takes_micro_batches(self, step: int) -> bool:
        """For hosts: whether to call `micro_batch` at a step: a scheduled one, where gradients are asked for."""
        return self._with_gradients and step in self.schedule

    def micro_batch(self, step: int, tokens: int | None = None, *, is_mean: bool = True) -> None:
        """After each backward pass of a step that accumulates gradients over micro-batches: their agreement and noise.

        step: as for `step`. tokens, is_mean: see `MicroBatch`. Call it before gradients are clipped.
        """
        if step in self.schedule:
            self._cost.enter(wait=True)
            with self._working(step, is_scheduled=False) as measures:
                if measures:
                    self._asked.micro_batch(step, MicroBatch(tokens, is_mean))

    def before_update(self, step: int, *, batch: Any = None) -> None:
        """The first half of `step`, for loops that cannot use a block. The first of several calls counts."""
        if not self._cost.has_begun:
            self._cost.enter()
        if step not in self.schedule or step == self._begun:
            return
        self._begun, self._around = step, None
        with self._working(step, is_scheduled=True) as measures:
            if measures:
                self._losses.look()
                self._around = self._scheduled.before(step, batch)

    def after_update(self, step: int, *, loss: Any = None, lr: float | None = None) -> dict[str, float]:
        """The second half of `step`; the logged values, none where nothing was measured."""
        self._cost.updates += 1
        if loss is not None:
            self.observe(step, loss, lr)
        measured, is_begun = None, step == self._begun
        self._begun = None
        if is_begun:
            with self._working(step, is_scheduled=True) as measures:
                if measures and self._around is not None:
                    self._losses.look()
                    measured = self._scheduled.after(step, self._around)
        if self._asked.has_work():
            with self._working(step, is_scheduled=False) as measures:
                if measures:
                    self._asked.after_update(step)
        return measured.values() if measured else {}

    def observe(self, step: int, loss: Any, lr: float | None = None) -> None:
        """A loss of training, nats per token, at the update that `step` updates were made before."""
        with self._working(step, is_scheduled=False) as measures:
            if measures:
                self._losses.add(step, loss, lr)

    def close(self) -> None:
        """Write the losses that still wait into the log now; without it that happens when the program ends."""
        self._losses.look()

    def state_dict(self) -> dict[str, Any]:
        """What a continued run needs: values for JSON, and tensors `losses-<step>`."""
        self._losses.look()
        return {
            "version": 1,
            "probe": self._probe.fingerprint,
            "cost": self._cost.state(),
            "verdict": self._verdict.state(),
            "told": self._guards.state(),
            **self._remembered.state(),
            **self._asked.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`. What cannot be read, or is of another probe, is told, and starts anew."""
        try:
            self._cost.load(state["cost"])
            self._verdict.load(state["verdict"])
            self._guards.load(state["told"])
            same_probe = state["probe"] == self._probe.fingerprint
            self._asked.load(state, same_probe=same_probe)
            if same_probe:
                self._remembered.load(state)
            else:
                self._guards.tell("other-probe", "the saved state is of another probe: changes t to 2t start anew.")
        except (KeyError, TypeError, ValueError, AttributeError):
            self._guards.tell("no-state", "the saved state is damaged: curves start anew from here.")

    def save(self, folder: str | Path) -> None:
        """Write the state into a folder, such as that of a checkpoint: JSON and safetensors. A full disk is told."""
        if self._is_on and is_main():
            try:
                save_state(self.state_dict(), Path(folder))
            except (OSError, SafetensorError) as error:  # the latter also where a disk is full
                self._guards.tell("not-saved", f"its state is not saved ({error}). A continued run starts curves anew.")

    def load(self, folder: str | Path) -> None:
        """Continue from a folder that `save` wrote. Where no state can be read, that is told, and curves start anew."""
        try:
            self.load_state_dict(load_state(Path(folder)))
        except InputError as error:
            self._guards.tell("no-state", str(error))

    @contextmanager
    def _working(self, step: int, *, is_scheduled: bool) -> Iterator[bool]:
        """Whether this process measures. The time of the block is the monitor's; an error in it switches it off."""
        self._guards.step = step
        self._cost.enter(wait=is_scheduled)
        try:
            if is_scheduled:
                with self._processes.together(self._probe.model, self._probe.take) as measures:
                    yield measures and self._is_on
            else:
                yield is_main() and self._is_on
        except Exception as error:  # noqa: BLE001  # whatever fails here must not end the training
            self._is_on, self._around = False, None
            cause = " ".join(str(error).split())[:300]
            self._guards.tell("off", f"step {step}: switched off, training goes on. {type(error).__name__}: {cause}")
        finally:
            self._cost.leave()
