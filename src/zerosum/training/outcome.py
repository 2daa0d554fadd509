"""A run that was trained by one call, with what it reached and how fast."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any, ClassVar

from zerosum.training.callback import AfterStep, Callback
from zerosum.training.loop import train
from zerosum.training.models import count_parameters
from zerosum.training.ngrams import RecordNgrams
from zerosum.training.notices import Notice, Tell
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import METRICS

_SECONDS_BETWEEN_REPORTS = 0.2


@dataclass(frozen=True)
class Outcome:
    """A finished run. out: its directory. tokens_seen: predicted tokens of all updates.

    final_loss: of the last batch before the last update, nats per token; None where the run made no update.
    held_out_loss: of the last checkpoint; None where the recipe asks for none. seconds: that this call took.
    tokens_per_second: of the updates of this call after the first; None where there are fewer than two. resumed_from:
    step that this call continued from, the last for a run that was finished; None where the call began the run.
    notices: signs during this call that the run is not what was meant.
    """

    name: str
    out: str
    n_params: int
    steps: int
    tokens_seen: int
    final_loss: float | None
    held_out_loss: float | None
    seconds: float
    tokens_per_second: float | None
    resumed_from: int | None
    notices: tuple[Notice, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All values by name; the reason beside each that is missing."""
        document = asdict(self)
        for name, reason in _REASONS.items():
            if document[name] is None:
                document[f"{name}_reason"] = reason
        return document


_REASONS = {
    "final_loss": "the log has no update",
    "held_out_loss": "the recipe measures none: set held_out to a number of sequences",
    "tokens_per_second": "this call made fewer than two updates",
    "resumed_from": "this call began the run",
}


def train_timed(
    recipe: Recipe,
    run_dir: Path | str,
    *,
    callbacks: Sequence[Callback] = (),
    report: Callable[[int, float], None] = lambda step, loss: None,
    on_notice: Tell = lambda notice: None,
    trackers: Sequence[str] = (),
) -> Outcome:
    """Train, or continue, a run to its end as `train` does, and record losses of n-gram models of its text.

    report: called with step and loss a few times a second, and after the last update. on_notice,
    trackers: see `train`.
    """
    watch = _Watch(recipe.steps, report)
    notices: list[Notice] = []

    def tell(notice: Notice) -> None:
        notices.append(notice)
        on_notice(notice)

    began = monotonic()
    recorder = RecordNgrams(recipe, Path(run_dir))
    train(recipe, run_dir, callbacks=(watch, recorder, *callbacks), on_notice=tell, trackers=trackers)
    seconds = monotonic() - began
    row = _last_row(Path(run_dir) / METRICS)
    return Outcome(
        name=recipe.name,
        out=str(run_dir),
        n_params=count_parameters(recipe.model),
        steps=recipe.steps,
        tokens_seen=row.get("tokens_seen", 0),
        final_loss=row.get("loss"),
        held_out_loss=row.get("held_out_loss"),
        seconds=seconds,
        tokens_per_second=watch.updates_per_second and watch.updates_per_second * recipe.batch.tokens,
        resumed_from=None if watch.first == recipe.first_step else watch.first,
        notices=tuple(notices),
    )


class _Watch(Callback):
    """Reports steps and losses, and measures the speed. first: the step that this call continued from."""

    is_trusted: ClassVar[bool] = True

    def __init__(self, last: int, report: Callable[[int, float], None]):
        self.first, self._last, self._report = last, last, report
        self._times: list[float] = []
        self._updates = 0
        self._reported = 0.0

    def after_step(self, context: AfterStep) -> None:
        now = monotonic()
        if not self._updates:
            self.first = context.step - 1
            self._times = [now]
        self._updates += 1
        self._times[1:] = [now]
        if context.step == self._last or now - self._reported > _SECONDS_BETWEEN_REPORTS:
            self._reported = now
            self._report(context.step, context.loss)

    @property
    def updates_per_second(self) -> float | None:
        """Of the updates after the first; None where there are none."""
        return (self._updates - 1) / (self._times[1] - self._times[0]) if self._updates > 1 else None


def _last_row(log: Path) -> dict[str, Any]:
    """The last complete row of the log; empty where there is none."""
    lines = log.read_bytes().splitlines() if log.exists() else []
    row: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return row
