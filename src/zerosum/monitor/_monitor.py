"""The live monitor: what each update does to held-out tokens, while a model trains. Knows no training loop.

A step counts the updates made so far, as in `checkpoint-<step>`.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from torch.distributed.tensor import DTensor

from zerosum.errors import InputError
from zerosum.monitor.cost import Cost, limit_of
from zerosum.monitor.guards import Guards, Tell
from zerosum.monitor.log import log_to
from zerosum.monitor.measured import Measured, pair
from zerosum.monitor.probe import FEWEST, Around, Probe
from zerosum.monitor.remembered import RememberedLosses
from zerosum.monitor.running_verdict import FIRST_FIT, RunningVerdict
from zerosum.monitor.schedule import Schedule, parse_schedule
from zerosum.monitor.state_files import load_state, save_state
from zerosum.monitor.warm_up import seconds_of_changes, seconds_of_fit
from zerosum.tokens import token_ids

WAITING = 64  # losses on a GPU that are looked at together: each look waits for what it computes


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
    trains is told once, and the monitor switches itself off. latest: the record of the last step that was measured.
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
        self._schedule, self._seed, self._preset = parse_schedule(schedule), seed, cost
        self._cost = Cost(limit_of(cost))
        self._probe = Probe(model, probe_tokens, optimizer, self._cost, tokens_per_batch)
        if self._cost.limit < math.inf:
            self._cost.fixed = seconds_of_changes(*self._probe.ids[:, 1:].shape)
            self._cost.fit = seconds_of_fit()
        self._optimizer = optimizer
        self._remembered = RememberedLosses(self._schedule)
        self._verdict = RunningVerdict(total_steps)
        self._guards = Guards(tell or logging.getLogger("zerosum.monitor").warning)
        self._log, self._log_is_chosen, self._log_works = log_to(log), log is not None, True
        self._updates: Callable[[], bool] = lambda: True
        self._waiting: list[tuple[int, Any, float | None]] = []
        self._pending: tuple[int, Around] | None = None
        self._is_on = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
        self.latest: Measured | None = None

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
        if not self._log_is_chosen:
            self._log = log_to(log)

    def tell(self, code: str, message: str) -> None:
        """For hosts: tell a sign of this kind once."""
        self._guards.tell(code, message)

    def before_update(self, step: int, *, batch: Any = None) -> None:
        """The first half of `step`, for loops that cannot use a block. The first of several calls counts."""
        if not self._is_on or (self._pending is not None and self._pending[0] == step):
            return
        with self._working(step, wait=step in self._schedule):
            self._pending = None
            if step in self._schedule and (around := self._before(step, batch)) is not None:
                self._pending = step, around

    def after_update(self, step: int, *, loss: Any = None, lr: float | None = None) -> dict[str, float]:
        """The second half of `step`; the logged values, none where nothing was measured."""
        pending, self._pending = self._pending, None
        if not self._is_on:
            return {}
        measured = None
        with self._working(step, wait=pending is not None):
            if loss is not None:
                self.observe(step, loss, lr)
            if pending is not None and pending[0] == step:
                measured = self._after(*pending)
        return measured.values() if measured else {}

    def observe(self, step: int, loss: Any, lr: float | None = None) -> None:
        """A loss of training, nats per token, at the update that `step` updates were made before."""
        if not self._is_on:
            return
        if lr is None and self._optimizer is not None:
            lr = float(self._optimizer.param_groups[0]["lr"])
        self._waiting.append((step, loss.detach() if hasattr(loss, "detach") else loss, lr))
        if len(self._waiting) >= WAITING or not getattr(loss, "is_cuda", False):
            self._look_at_losses()

    def close(self) -> None:
        """Look at the last losses, which may wait on a GPU, so that they are in the log."""
        self._look_at_losses()

    def state_dict(self) -> dict[str, Any]:
        """What a continued run needs: values for JSON, and tensors `losses-<step>`."""
        self._look_at_losses()
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

    def _before(self, step: int, batch: Any) -> Around | None:
        """Losses before a scheduled update; None where it is left out."""
        if any(isinstance(parameter, DTensor) for parameter in self._probe.model.parameters()):
            raise InputError("the processes share the weights (DTensor); the monitor needs whole ones.")
        started, forward = time.perf_counter(), self._probe.forward_seconds
        self._look_at_losses()
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

    def _after(self, step: int, around: Around) -> Measured | None:
        """The record of a scheduled update, logged."""
        started, forward = time.perf_counter(), self._probe.forward_seconds
        self._look_at_losses()
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
        self._send(lambda: self._log.values(step, measured.values(), measured.reason))
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

    def _look_at_losses(self) -> None:
        """Give the waiting losses of training to the running verdict, the guards and the log."""
        waiting, self._waiting = self._waiting, []
        for step, value, lr in waiting:
            loss = float(value)
            self._verdict.bins.add(step + 1, loss, lr)
            self._guards.loss(step, loss, lr)
            self._send(lambda step=step, loss=loss, lr=lr: self._log.loss(step, loss, lr))  # type: ignore[misc]

    def _send(self, call: Callable[[], object]) -> None:
        """Log; an error of the logger is told once and ends logging only."""
        if self._log_works:
            try:
                call()
            except Exception as error:  # noqa: BLE001  # loggers raise anything; training and measuring go on
                self._log_works = False
                cause = " ".join(str(error).split())[:300]
                self._guards.tell(
                    "log", f"the logger failed ({type(error).__name__}: {cause}); nothing more is logged."
                )
