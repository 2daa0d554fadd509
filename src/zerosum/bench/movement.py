"""Per-token losses of every checkpoint of a trunk, of its weights and of their averages, and movement between them."""

import shutil
from collections.abc import Callable, Sequence

import numpy as np

from zerosum.bench.facts import read_facts, write_facts
from zerosum.bench.results import RAW
from zerosum.checkpoints import find_checkpoints, load_model, parse_average
from zerosum.comparison.equal_loss import EqualLoss, equal_loss
from zerosum.losses import measure_losses, open_store
from zerosum.runs import RunDirectory
from zerosum.sweep import SweptRun
from zerosum.training.held_out import held_out_tokens

Show = Callable[..., None]


def is_measured(trunk: SweptRun, sequences: int) -> bool:
    """Whether a finished trunk has its facts and, where `sequences` is above 0, losses of every checkpoint."""
    if read_facts(trunk) is None:
        return False
    steps = set(trunk.recipe.checkpoint_steps)
    for weights in _weights(trunk) if sequences else ():
        run = _of(trunk, weights)
        if not run.losses.is_dir():
            return False
        store = open_store(run.losses)
        if not (store.attrs.get("complete") and steps <= set(store["step"].values.tolist())):
            return False
    return True


def measure(trunk: SweptRun, sequences: int, keep: bool, show: Show) -> None:
    """Measure a finished trunk; what is there is not measured again. keep: False removes checkpoints between the first
    and the last, except those to branch from, once everything is measured.
    """
    if read_facts(trunk) is None:
        write_facts(trunk)
    if not sequences:
        return
    tokens = held_out_tokens(trunk.recipe, sequences)
    for weights in _weights(trunk):
        run = _of(trunk, weights)
        found = find_checkpoints([trunk.folder], average=None if weights == RAW else weights).checkpoints
        steps = set(trunk.recipe.checkpoint_steps)

        def report(done: int, total: int, step: int) -> None:
            show(trunk.folder.name, total, done, "token losses")

        measure_losses(
            run.losses,
            [one for one in found if one.step in steps],
            tokens,
            load=load_model,
            model=trunk.folder.name,
            on_piece=report,
        )
    if not keep:
        _remove_checkpoints(trunk)


def movement(trunk: SweptRun, levels: Sequence[float]) -> dict[str, EqualLoss]:
    """Movement over the intervals between losses, by the weights that were measured."""
    found = {}
    for weights in _weights(trunk):
        run = _of(trunk, weights)
        if not run.losses.is_dir():
            continue
        store = open_store(run.losses)
        steps = store["step"].values
        later = steps > 0
        losses = store["loss"].values[later].reshape(int(later.sum()), -1)
        found[weights] = equal_loss(steps[later].astype(float).tolist(), losses[:, np.isfinite(losses[0])], levels)
    return found


def _weights(trunk: SweptRun) -> tuple[str, ...]:
    return (RAW, *trunk.recipe.averages)


def _of(trunk: SweptRun, weights: str) -> RunDirectory:
    return RunDirectory(trunk.folder, "" if weights == RAW else parse_average(weights).place)


def _remove_checkpoints(trunk: SweptRun) -> None:
    recipe = trunk.recipe
    kept = {recipe.first_step, recipe.steps, *recipe.checkpoints.also}
    for step in recipe.checkpoint_steps:
        folder = trunk.folder / f"checkpoint-{step}"
        if step not in kept and folder.is_dir():
            shutil.rmtree(folder)
