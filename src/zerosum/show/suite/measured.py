"""From a measured run directory to its summary: every change with its N, nulls and interval, and the fit."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from zerosum.checkpoints import Run
from zerosum.deceleration import fit
from zerosum.interference import Interference, doubling_pairs, measure
from zerosum.interference.labelled import one_steps
from zerosum.show.suite.summary import CutoffFit, DoubleStep, Estimate, OneStep, RunSummary
from zerosum.training import Recipe


def summarize_run(
    run: Run, recipe: Recipe, store: xr.Dataset, *, cutoff: float, cutoffs: Sequence[float]
) -> RunSummary:
    """Everything a report says of one run.

    store: its per-token losses. cutoff: the fit uses only steps after it; cutoffs: those shown beside it.
    Resampling units are documents for held-out tokens and sequences for the training batch.
    """
    curve = replace(run.curve(), name=recipe.name)
    pairs, unpaired = doubling_pairs(store["step"].to_numpy().tolist())
    return RunSummary(
        name=recipe.name,
        n_params=recipe.model.n_parameters,
        seed=recipe.seed,
        steps=recipe.steps,
        tokens_per_step=recipe.batch.tokens,
        final_loss=Estimate.mean_loss(measure(_losses(store, "loss", -1), _documents(store))),
        curve=curve,
        fit=fit(curve, cutoff=cutoff),
        cutoffs=tuple(CutoffFit.of(fit(curve, cutoff=after)) for after in cutoffs),
        double=tuple(DoubleStep(start, end, _double(store, start, end)) for start, end in pairs),
        unpaired=tuple(unpaired),
        one_step=tuple(OneStep(one.step, one.split, one.measured) for one in one_steps(store)),
    )


def _losses(store: xr.Dataset, name: str, index: int) -> Float[np.ndarray, "s T"]:
    return store[name].isel(checkpoint=index).to_numpy().astype(np.float64)


def _documents(store: xr.Dataset) -> np.ndarray:
    return store["document"].to_numpy()[:, None]


def _double(store: xr.Dataset, start: int, end: int) -> Interference:
    steps = store["step"].to_numpy().tolist()
    before, after = (_losses(store, "loss", steps.index(step)) for step in (start, end))
    return measure(after - before, _documents(store))
