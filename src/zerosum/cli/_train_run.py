"""One run of `zerosum train`: its recipe and folder from the options, its progress, and what it reached in words."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from zerosum.cli.progress import progress
from zerosum.errors import InputError
from zerosum.recipes import find_recipe
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.terminal import say as say_on_terminal
from zerosum.training.changes import label, parse_changes, with_changes
from zerosum.training.disk import bytes_to_come, require_free
from zerosum.training.notices import Notice
from zerosum.training.outcome import Outcome, train_timed
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import writing


def plan(name_or_file: str, out: Path | None, texts: Sequence[str], seed: int | None) -> tuple[Recipe, Path]:
    """The recipe with its changes, and its run directory.

    Raises InputError where there is no such recipe, or a change is not possible.
    """
    changes = parse_changes(texts)
    if seed is not None and "seed" in changes:
        raise InputError("--seed and --set seed=... exclude each other. Leave one out.")
    base = find_recipe(name_or_file)
    named = base.name if not changes else f"{base.name}-{label(changes)}"
    seeded = {} if seed is None else {"seed": seed}
    recipe = with_changes(base, {"name": named, **changes, **seeded})
    return recipe, (out or default_folder(recipe)).expanduser()


def default_folder(recipe: Recipe) -> Path:
    """Where a run lies that has no folder of its own: runs/NAME-seedN, runs/NAME for seed 0."""
    name = label({recipe.name: ""}).rstrip("=") + (f"-seed{recipe.seed}" if recipe.seed else "")
    return Path("runs") / name


def train_run(recipe: Recipe, run: Path, speaks: bool = True) -> Outcome:
    """Train or continue a run, with its progress on stderr where `speaks`; too small a disk is refused at once."""
    with writing(run):
        require_free(run, bytes_to_come(recipe, run), "Free some space, or choose another --out.")
    with progress() if speaks else nullcontext(_show_nothing) as show:
        return train_timed(
            recipe,
            run,
            report=lambda step, loss: show(recipe.name, recipe.steps, step, f"loss {loss:.3f}"),
            on_notice=_tell if speaks else lambda notice: None,
        )


def _tell(notice: Notice) -> None:
    print(f"zerosum: step {notice.step}: {printable(notice.message, 1_000)}", file=sys.stderr)


def _show_nothing(*news: Any) -> None:
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
    return [reached, f"{speed}{begun}Run: {outcome.out}", f"next: zerosum fit {outcome.out}"]
