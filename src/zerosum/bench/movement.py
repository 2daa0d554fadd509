"""Per-token losses of every checkpoint of a trunk, of its weights and of their averages, and movement between them."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from zerosum.bench.facts import read_facts, write_facts
from zerosum.bench.results import RAW
from zerosum.checkpoints import find_checkpoints, load_model, parse_average
from zerosum.comparison.equal_loss import EqualLoss, equal_loss
from zerosum.errors import InputError
from zerosum.losses import measure_losses, open_store
from zerosum.runs import RunDirectory
from zerosum.sharing import locked
from zerosum.sweep import SweptRun
from zerosum.training.held_out import held_out_tokens

Show = Callable[..., None]
_LOCK = "bench.lock"


def is_measured(trunk: SweptRun, sequences: int) -> bool:
    """Whether a finished trunk has its facts and, where `sequences` is above 0, losses of every checkpoint."""
    if read_facts(trunk) is None:
        return False
    steps = set(trunk.recipe.checkpoint_steps)
    for weights in _weights(trunk) if sequences else ():
        path = _store(trunk, weights, sequences)
        if not path.is_dir():
            return False
        store = open_store(path)
        if not (store.attrs.get("complete") and steps <= set(store["step"].values.tolist())):
            return False
    return True


def measure(trunk: SweptRun, sequences: int, keep: bool, show: Show) -> None:
    """Measure a finished trunk; what is there is not measured again. keep: False removes checkpoints between the first
    and the last, except those to branch from, once everything is measured.

    One process at a time measures a trunk. Raises InputError where checkpoints were removed that are needed.
    """
    folder = RunDirectory(trunk.folder).measured
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / _LOCK):
        if not is_measured(trunk, sequences):
            _measure(trunk, sequences, keep, show)


def _measure(trunk: SweptRun, sequences: int, keep: bool, show: Show) -> None:
    if read_facts(trunk) is None:
        write_facts(trunk)
    if not sequences:
        return
    tokens, steps = held_out_tokens(trunk.recipe, sequences), set(trunk.recipe.checkpoint_steps)
    for weights in _weights(trunk):
        run = find_checkpoints([trunk.folder], average=None if weights == RAW else weights)
        chosen = [checkpoint for checkpoint in run.checkpoints if checkpoint.step in steps]
        if missing := steps - {checkpoint.step for checkpoint in chosen}:
            raise InputError(
                f"{trunk.folder}: checkpoint-{min(missing)} is not there: a bench with keep_checkpoints: false "
                "measured other tokens and removed it. Delete this run: it is trained again."
            )

        def report(done: int, total: int, step: int) -> None:
            show(trunk.folder.name, total, done, "token losses")

        path = _store(trunk, weights, sequences)
        measure_losses(path, chosen, tokens, load=load_model, model=trunk.folder.name, on_piece=report)
    if not keep:
        _remove_checkpoints(trunk)


def movement(trunk: SweptRun, sequences: int, levels: Sequence[float]) -> dict[str, EqualLoss]:
    """Movement over the intervals between losses, by the weights that were measured."""
    movements = {}
    for weights in _weights(trunk):
        store = open_store(_store(trunk, weights, sequences))
        steps = store["step"].values
        later = steps > 0
        losses = store["loss"].values[later].reshape(int(later.sum()), -1)
        movements[weights] = equal_loss(steps[later].astype(float).tolist(), losses[:, np.isfinite(losses[0])], levels)
    return movements


def _weights(trunk: SweptRun) -> tuple[str, ...]:
    return (RAW, *trunk.recipe.averages)


def _store(trunk: SweptRun, weights: str, sequences: int) -> Path:
    """The run's store of losses, or another one beside it where that is of other tokens."""
    run = RunDirectory(trunk.folder, "" if weights == RAW else parse_average(weights).place)
    sha256 = held_out_tokens(trunk.recipe, sequences).sha256
    if not run.losses.is_dir() or open_store(run.losses).attrs.get("data_sha256") == sha256:
        return run.losses
    return run.measured / f"bench-{sha256[:8]}-{run.losses.name}"


def _remove_checkpoints(trunk: SweptRun) -> None:
    recipe = trunk.recipe
    needed = {recipe.first_step, recipe.steps, *recipe.checkpoints.also}
    for step in recipe.checkpoint_steps:
        folder = trunk.folder / f"checkpoint-{step}"
        if step not in needed and folder.is_dir():
            shutil.rmtree(folder)
