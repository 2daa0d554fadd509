"""Branches of a checkpoint as runs of a sweep, and the per-token losses of each."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from zerosum.atomic import write_text
from zerosum.checkpoints import load_model, open_run
from zerosum.errors import InputError
from zerosum.losses import measure_losses
from zerosum.runs import BRANCHES_FILE, RunDirectory
from zerosum.sweep.plan import Plan, SlurmSettings, SweptRun
from zerosum.tokens import TokenizerFacts, load_tokenizer
from zerosum.training.held_out import held_out_tokens
from zerosum.training.orders import other_order


def plan_of_branches(run: Path, step: int, until: int, number: int, out: Path | None = None) -> Plan:
    """`number` branches from `step` to `until`, in RUN/branches/<step>-to-<until> or in `out`.

    The first branches of a larger number are those of a smaller one, so branches can be added later.
    Raises InputError for fewer than two.
    """
    if number < 2:
        raise InputError(f"--branches {number}: a single branch has nothing to be compared with. Give at least 2.")
    folder = (out or RunDirectory(run).branches) / f"{step}-to-{until}"
    recipes = [other_order(run, step, until, order) for order in range(1, number + 1)]
    runs = tuple(SweptRun(folder / f"order-{recipe.seed}", recipe, str(run)) for recipe in recipes)
    return Plan(folder, runs, SlurmSettings())


def measure_finished(
    plan: Plan, finished: Sequence[SweptRun], sequences: int | None, by: str | None, show: Callable[..., None]
) -> None:
    """Measure both ends of each finished branch, and write which branches are measured; continues what is there."""
    tokens = held_out_tokens(plan.runs[0].recipe, sequences)
    for run in finished:
        ends = (run.recipe.first_step, run.recipe.steps)
        found = [checkpoint for checkpoint in open_run(run.folder).checkpoints if checkpoint.step in ends]
        facts = _tokenizer(found[0].path)
        name = run.folder.name

        def report(done: int, total: int, step: int, name: str = name) -> None:
            show(name, total, done, "token losses")

        store = RunDirectory(run.folder).losses
        measure_losses(store, found, tokens, load=load_model, model=name, tokenizer=facts, on_piece=report)
    content = {"orders": [run.folder.name for run in finished], "by": by}
    write_text(plan.out / BRANCHES_FILE, json.dumps(content, indent=2) + "\n")


def _tokenizer(folder: Path) -> TokenizerFacts | None:
    try:
        return TokenizerFacts.of(load_tokenizer(folder), folder)
    except InputError:
        return None
