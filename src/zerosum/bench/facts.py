"""Facts of a finished trunk that its bench needs: its fit, its held-out curve, hashes that pairs share, its costs.

They are written beside the trunk once, so that reading a bench takes no time.
"""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np

from zerosum import deceleration
from zerosum.bench.results import RunCurve
from zerosum.bench.stored import read_stored, write_stored
from zerosum.checkpoints import only_checkpoint
from zerosum.errors import InputError
from zerosum.runs import RunDirectory
from zerosum.sweep import SweptRun
from zerosum.training.batches import batch
from zerosum.training.held_out import held_out_tokens
from zerosum.training.metrics import read_rows
from zerosum.training.recipe import Recipe
from zerosum.training.run_folder import METRICS

FILE = "bench.json"
NOWHERE = "break-not-located"  # the code of a fit that has a break, but no place for it
HASHED_BATCHES = 64
"""Batches whose hash stands for all: evenly spaced, the first and the last among them."""


@dataclass(frozen=True)
class TrunkFacts:
    """See `RunResult`; `flops` is of one update."""

    L_d: float | None
    t_d: float | None
    r_d: float | None
    verdict: str
    conflict_rate: float | None
    flops: int
    weights: str
    batches: str
    held_out: str
    curve: RunCurve = field(default_factory=RunCurve)


def read_facts(trunk: SweptRun) -> TrunkFacts | None:
    """What `write_facts` wrote; None where it did not. Raises InputError where the file is damaged."""
    return read_stored(trunk, FILE, TrunkFacts)


def write_facts(trunk: SweptRun) -> None:
    """Fit a finished trunk, hash what it must share with its pair, and count its operations."""
    from zerosum.bench.flops import flops_of_update

    recipe, run = trunk.recipe, RunDirectory(trunk.folder)
    rows = read_rows(trunk.folder / METRICS, recipe.first_step)
    held_out = [row for row in rows if row.get("held_out_loss") is not None]
    conflicts = [row["conflict_rate"] for row in rows if row.get("conflict_rate") is not None]
    L_d, t_d, r_d, verdict = break_of(run)
    facts = TrunkFacts(
        L_d=L_d,
        t_d=t_d,
        r_d=r_d,
        verdict=verdict,
        conflict_rate=float(np.mean(conflicts)) if conflicts else None,
        flops=flops_of_update(recipe),
        weights=only_checkpoint(trunk.folder / "checkpoint-0").weight_hash(),
        batches=hash_of_batches(recipe),
        held_out=held_out_tokens(recipe, recipe.held_out).sha256,
        curve=RunCurve(
            tuple(row["step"] for row in held_out),
            tuple(row["tokens_seen"] for row in held_out),
            tuple(row["held_out_loss"] for row in held_out),
        ),
    )
    write_stored(trunk, FILE, facts)


def hash_of_batches(recipe: Recipe) -> str:
    """SHA-256 of some batches of a run, in hexadecimal."""
    digest = hashlib.sha256()
    for step in np.unique(np.linspace(0, recipe.steps - 1, HASHED_BATCHES).astype(int)):
        digest.update(batch(recipe, int(step)).ids.astype("<i8").tobytes())
    return digest.hexdigest()


def break_of(run: RunDirectory) -> tuple[float | None, float | None, float | None, str]:
    """L_d, t_d, r_d, each None where there is no break or where its place is not known, and the verdict."""
    try:
        fit = deceleration.fit(run.curve())
    except InputError:
        return None, None, None, "cannot-fit"
    if fit.verdict != "decelerates" or any(reason.code == NOWHERE for reason in fit.reasons):
        return None, None, None, str(fit.verdict)
    L_d, t_d, r_d = (float(value) if math.isfinite(value) else None for value in (fit.L_d, fit.t_d, fit.r_d))
    return L_d, t_d, r_d, str(fit.verdict)
