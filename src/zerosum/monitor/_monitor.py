"""The live monitor: what each update does to held-out tokens, while a model trains. Knows no training loop.

A step counts the updates made so far, as in `checkpoint-<step>`.
"""

import logging
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch

from zerosum.errors import InputError
from zerosum.monitor.cost import Cost, limit_of
from zerosum.monitor.guards import Guards, Tell
from zerosum.monitor.log import Log
from zerosum.monitor.measured import Measured
from zerosum.monitor.probe import Around, Probe
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
    lines. optimizer: for its learning rate, and where it evaluates at other weights than it trains at (schedule-free).
    total_steps: for the expected loss at the end. tell: receives each warning; by default logging's "zerosum.monitor".
    seed: of intervals and nulls. tokens_per_batch: predictions in one forward pass.

    Of several processes only the main one measures. Raises InputError for wrong arguments; an error while a model
    trains is told once, and the monitor switches itself off.
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
    ):
        self._schedule, self._cost = parse_schedule(schedule), Cost(limit_of(cost))
        self._probe = Probe(model, probe_tokens, optimizer, self._cost, tokens_per_batch)
        self._guards = Guards(tell or logging.getLogger("zerosum.monitor").warning)
        self._log, self._verdict = Log(log, self._guards), RunningVerdict(total_steps)
        self._losses = TrainingLosses(optimizer, self._verdict, self._guards, self._log)
        self._remembered = RememberedLosses(self._schedule)
        self._scheduled = ScheduledSteps(
            self._probe, self._remembered, self._verdict, self._cost, self._guards, self._log, cost, seed
        )
        self._updates: Callable[[], bool] = lambda: True
        self._pending: tuple[int, Around] | None = None
        self._is_on = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
        weakref.finalize(self, self._losses.look)

    @property
    def latest(self) -> Measured | None:
        """The record of the last step that was measured."""
        return self._scheduled.latest

    @contextmanager
    def step(self, step: int, *, loss: Any = None, lr: float | None = None, batch: Any = None) -> Iterator[None]:
        """Around one update, and nothing else. step: updates made before it.

        loss: of training, nats per token, a number or tensor; the running verdict needs it. lr: by default that of the
        optimizer's first group. batch: token ids of the update, [s, L], to measure these tokens, too.
        """
        if not self._updates():
            yield
            return
        self.before_update(step, batch=batch)
        try:
            yield
        except BaseException:
            self._pending = None
            raise
        self.after_update(step, loss=loss, lr=lr)

    def prepare(self, accelerator: Any) -> "Monitor":
        """The same monitor in a loop of Hugging Face's accelerate (see `zerosum.monitor.accelerate`)."""
        import_module("zerosum.monitor.accelerate").prepare(self, accelerator)
        return self

    def host(self, *, log: Any, updates: Callable[[], bool]) -> None:
        """For hosts. log: used where the user chose none. updates: whether the step at hand makes an update."""
        self._updates = updates
        self._log.use(log)

    def tell(self, code: str, message: str) -> None:
        """For hosts: tell a sign of this kind once."""
        self._guards.tell(code, message)

    def before_update(self, step: int, *, batch: Any = None) -> None:
        """The first half of `step`, for loops that cannot use a block. The first of several calls counts."""
        if not self._cost.has_begun:
            self._cost.enter()
        if not self._is_on or step not in self._schedule or (self._pending is not None and self._pending[0] == step):
            return
        with self._working(step, wait=True):
            self._pending = None
            self._losses.look()
            if (around := self._scheduled.before(step, batch)) is not None:
                self._pending = step, around

    def after_update(self, step: int, *, loss: Any = None, lr: float | None = None) -> dict[str, float]:
        """The second half of `step`; the logged values, none where nothing was measured."""
        pending, self._pending = self._pending, None
        self._cost.updates += 1
        if loss is not None:
            self.observe(step, loss, lr)
        if not self._is_on or pending is None or pending[0] != step:
            return {}
        measured = None
        with self._working(step, wait=True):
            self._losses.look()
            measured = self._scheduled.after(*pending)
        return measured.values() if measured else {}

    def observe(self, step: int, loss: Any, lr: float | None = None) -> None:
        """A loss of training, nats per token, at the update that `step` updates were made before."""
        if self._is_on:
            with self._working(step, wait=False):
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
            "told": sorted(self._guards.seen),
            **{f"losses-{step}": torch.from_numpy(values) for step, values in self._remembered.losses.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`; remembered losses of another probe are left out, and that is told."""
        self._cost.load(state["cost"])
        self._verdict.load(state["verdict"])
        self._guards.seen |= set(state["told"])
        if state["probe"] != self._probe.fingerprint:
            self._guards.tell("other-probe", "the saved state is of other probe tokens: changes t to 2t start anew.")
            return
        tensors = {name.removeprefix("losses-"): value for name, value in state.items() if name.startswith("losses-")}
        self._remembered.losses = {int(step): value.cpu().numpy() for step, value in tensors.items()}

    def save(self, folder: str | Path) -> None:
        """Write the state into a folder, such as that of a checkpoint: JSON and safetensors. A full disk is told."""
        if self._is_on:
            try:
                save_state(self.state_dict(), Path(folder))
            except OSError as error:
                self._guards.tell("not-saved", f"its state is not saved ({error}). A continued run starts curves anew.")

    def load(self, folder: str | Path) -> None:
        """Continue from a folder that `save` wrote. Where no state can be read, that is told, and curves start anew."""
        try:
            self.load_state_dict(load_state(Path(folder)))
        except (InputError, KeyError, TypeError, ValueError, AttributeError) as error:
            self._guards.tell("no-state", str(error) if isinstance(error, InputError) else f"{folder}: damaged state.")

    @contextmanager
    def _working(self, step: int, *, wait: bool) -> Iterator[None]:
        """Counts the time of the block as the monitor's; an error in it switches the monitor off."""
        self._cost.enter(wait=wait)
        try:
            yield
        except Exception as error:  # noqa: BLE001  # whatever fails here must not end the training
            self._is_on, self._pending = False, None
            cause = " ".join(str(error).split())[:300]
            self._guards.tell("off", f"step {step}: switched off, training goes on. {type(error).__name__}: {cause}")
        finally:
            self._cost.leave()
