"""Signs that a training run, or its measurement, is not what was meant. Each is told once in a run."""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from zerosum.loss_watch import LossWatch
from zerosum.monitor.processes import is_main

WINDOW = 32  # tokens; as many in a row that are equal are not there by chance
COUNTED_TWICE = 0.1  # relative distance from a whole multiple of the measured loss
TIMES = 3  # scheduled steps at which the same multiple must be seen

OF_A_SITTING = {"off", "log", "not-saved", "no-state", "other-probe"}  # a continued run tells them again
LOGGER = logging.getLogger("zerosum.monitor")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Warned:
    """A sign that was told. step: of the sign. logged_at: step at which the monitor works, which may be later.

    count: of the signs told so far in the run, this one included.
    """

    step: int
    code: str
    message: str
    logged_at: int
    count: int


class Guards:
    """Tells each kind of sign once. tell: receives one sentence. seen: codes of what was told.

    step: at which the monitor works. log: also receives each sign.
    """

    def __init__(self, tell: Tell, seen: Iterable[str] = ()):
        self._tell, self.seen = tell, set(seen)
        self.step = 0
        self.log: Callable[[Warned], None] = lambda warned: None
        self._watch = LossWatch()
        self._latest, self._multiple, self._times = math.nan, 1, 0

    @property
    def count(self) -> int:
        """Signs told so far in the run."""
        return len(self.seen)

    def tell(self, code: str, message: str, step: int | None = None) -> None:
        """Tell a sign of this kind in the main process, unless one was told before. An error of `tell` is logged.

        step: of the sign, where it is not that at which the monitor works.
        """
        if code not in self.seen and is_main():
            self.seen.add(code)
            try:
                self._tell(f"zerosum monitor: {message}")
            except Exception as error:  # noqa: BLE001  # it is the user's own; training goes on
                LOGGER.warning("zerosum monitor: %s (`tell` failed: %s)", message, type(error).__name__)
            self.log(Warned(self.step if step is None else step, code, message, self.step, self.count))

    def state(self) -> list[str]:
        """Codes of what was told, without those of this sitting."""
        return sorted(self.seen - OF_A_SITTING)

    def load(self, state: Iterable[str]) -> None:
        """Do not tell these again."""
        self.seen |= set(state)

    def loss(self, step: int, loss: float, lr: float | None) -> None:
        """Look at the training loss and the learning rate of one update."""
        self._latest = loss
        if lr == 0:
            self.tell("rate-zero", f"step {step}: the learning rate is 0, so the weights do not change.", step)
        if not math.isfinite(loss):
            self.tell("loss-not-finite", f"step {step}: the training loss is {loss}. Lower the learning rate.", step)
        elif self._watch.is_spike(loss):
            text = f"step {step}: the loss jumped to {loss:.3g}, far above that of the updates before."
            self.tell("spike", text, step)

    def multiple_of_measured(self, step: int, measured: float) -> None:
        """Look for losses that were added up over accumulated batches. measured: mean loss of tokens at this step."""
        ratio = self._latest / measured if measured > 0 and math.isfinite(self._latest) else 1.0
        multiple = round(ratio)
        is_multiple = multiple >= 2 and abs(ratio - multiple) < COUNTED_TWICE * multiple
        self._times = self._times + 1 if is_multiple and multiple == self._multiple else int(is_multiple)
        self._multiple = multiple
        if self._times >= TIMES:
            self.tell(
                "loss-multiplied",
                f"step {step}: the training loss {self._latest:.3g} is {multiple} times the measured {measured:.3g}: "
                "are losses or gradients of accumulated batches added where a mean is meant?",
            )

    def cost(self, step: int, share: float, limit: float) -> None:
        """Look at the time of the monitor over that of training."""
        if share > limit:
            self.tell(
                "cost",
                f"step {step}: it took {100 * share:.2g} % of training time so far, more than the {100 * limit:g} % "
                "that were chosen; it measures less until it is below.",
            )

    def unchanged(self, step: int) -> None:
        """After an update that changed no loss at all."""
        self.tell(
            "unchanged",
            f"step {step}: the update changed no loss, so D is not defined. Was it skipped (by a gradient scaler), or "
            "is the learning rate 0?",
        )

    def overlap(self, step: int, probe: Int[np.ndarray, "S L"], batch: Int[np.ndarray, "s L2"]) -> None:
        """Look for held-out sequences in the batch."""
        shared = int(occurs_in(probe, batch).sum())
        if shared:
            self.tell(
                "probe-in-batch",
                f"step {step}: {shared} of {len(probe)} held-out sequences share {WINDOW} tokens in a row with the "
                "training batch. Are they really held out?",
            )


def occurs_in(probe: Int[np.ndarray, "S L"], batch: Int[np.ndarray, "s L2"]) -> Bool[np.ndarray, " S"]:
    """Which sequences of the probe share a window of 32 tokens, that begins at a multiple of 32, with the batch.

    Windows are compared by hashes of 64 bits. Shorter sequences are compared as a whole.

    >>> occurs_in(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[9, 4, 5, 6]])).tolist()
    [False, True]
    """
    width = min(WINDOW, probe.shape[1])
    if batch.shape[1] < width:
        return np.zeros(len(probe), dtype=bool)
    weights = np.random.default_rng(0).integers(1, 2**62, width, dtype=np.int64) | 1
    windows = np.lib.stride_tricks.sliding_window_view(batch.astype(np.int64), width, axis=1)
    own = np.lib.stride_tricks.sliding_window_view(probe.astype(np.int64), width, axis=1)[:, ::width]
    return np.asarray(np.isin(own @ weights, windows @ weights).any(axis=1))
