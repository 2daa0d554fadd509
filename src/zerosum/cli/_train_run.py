"""One run of `zerosum train`: its progress, and what it reached in words."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from zerosum.cli._train_data import write_texts
from zerosum.cli.progress import progress
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.terminal import say as say_on_terminal
from zerosum.training.disk import bytes_to_come, require_free
from zerosum.training.notices import Notice
from zerosum.training.outcome import Outcome, train_timed
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import writing


def train_run(
    recipe: Recipe, run: Path, data: Sequence[str] = (), trackers: Sequence[str] = (), speaks: bool = True
) -> Outcome:
    """Train or continue a run, with its progress on stderr where `speaks`; too small a disk is refused at once.

    data: texts that are tokenized into the run directory first. trackers: see `train`.
    """
    with writing(run), progress() if speaks else nullcontext(_ignore) as show:
        require_free(run, bytes_to_come(recipe, run), "Free some space, or choose another --out.")
        recipe, note = write_texts(data, recipe, run, lambda label, done, total: show(label, total, done, ""))
        if note and speaks:
            _warn(note)
        return train_timed(
            recipe,
            run,
            report=lambda step, loss: show(recipe.name, recipe.steps, step, f"loss {loss:.3f}"),
            on_notice=lambda notice: _tell(notice) if speaks else None,
            trackers=trackers,
        )


def _tell(notice: Notice) -> None:
    _warn(f"step {notice.step}: {notice.message}")


def _warn(message: str) -> None:
    print(f"zerosum: {printable(message, 1_000)}", file=sys.stderr)


def _ignore(*news: Any) -> None:
    """Progress of a process that is not the main one."""


def say(outcomes: Sequence[Outcome]) -> None:
    """Print what each run reached, and which command comes next."""
    for outcome in outcomes:
        say_on_terminal(*_sentences(outcome))


def _sentences(outcome: Outcome) -> list[str]:
    held_out = "" if outcome.held_out_loss is None else f", {outcome.held_out_loss:.3f} on held-out text"
    loss = "no update" if outcome.final_loss is None else f"loss {outcome.final_loss:.3f} in the last batch{held_out}"
    reached = (
        f"{printable(outcome.name)}: {loss} (nats per token), after {n.counted(outcome.steps, 'step')} and "
        f"{n.count(outcome.tokens_seen)} tokens; {n.count(outcome.n_params)} parameters."
    )
    speed = ""
    if outcome.tokens_per_second is not None:
        speed = f"{n.count(round(outcome.tokens_per_second))} tokens a second, {outcome.seconds:.0f} s in all. "
    begun = ""
    if outcome.resumed_from == outcome.steps:
        begun = "It was finished before. "
    elif outcome.resumed_from is not None:
        begun = f"Continued from step {n.count(outcome.resumed_from)}. "
    return [reached, f"{speed}{begun}Run: {outcome.out}", f"next: zerosum report {outcome.out}"]
