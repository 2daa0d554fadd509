"""Runs of several sizes: loss curves with N and training tokens, and the table of their losses."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from zerosum.curves import LossCurve, read_curve, tokens_per_step
from zerosum.deceleration import Fit
from zerosum.errors import InputError
from zerosum.scaling.columns import NOT_STATED, WITHOUT_EMBEDDINGS
from zerosum.scaling.reading import read_table
from zerosum.scaling.run_size import Count, RunSize, given_size, size_of
from zerosum.scaling.table import LossTable

PER_DECADE = 10  # rows of the table of losses in each factor of ten in tokens
EARLIEST = 0.01  # of a run's tokens: earlier losses are those of the warm-up


@dataclass(frozen=True)
class SizedRun:
    """One run. curve: with tokens where they are known. fit: of the curve, where it was made already."""

    curve: LossCurve
    size: RunSize
    fit: Fit | None = None

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.curve.name

    @property
    def label(self) -> str:
        """What errors call the run: its source, or its name without one."""
        return self.curve.source or self.curve.name

    @property
    def tokens_per_step(self) -> float:
        """Training tokens of a late step, NaN where they are not known."""
        return tokens_per_step(self.curve)


def sized_runs(
    given: Sequence[Any],
    params: Sequence[Any] | None = None,
    *,
    tokens: Sequence[float] | float | None = None,
    embeddings: bool = True,
    count: Count | None = None,
    read: Callable[[Any], LossCurve] = read_curve,
) -> tuple[SizedRun, ...]:
    """Runs with their sizes, in the order of N.

    given: paths of logs or run folders, loss curves, fits, or runs with sizes, which stay as they are. params: N of
    each, as 14000000 or "14M"; without it from a column of the log, by `count` from its configuration, or from its
    name. tokens: training tokens of a step, one
    number or one for each run, where the logs have none. embeddings: whether N counts them; False: given numbers and
    counted ones are without. count: see `run_size.Count`. read: makes a curve of a path.
    Raises InputError, one line with the run and the remedy, where a size is not known, not every size counts the same
    parameters, or a run is given twice.
    """
    if params is not None and len(params) != len(given):
        raise InputError(f"params: {len(params)} sizes for {len(given)} runs. Give one for each, in their order.")
    steps = _one_each(tokens, len(given))
    runs = []
    for k, one in enumerate(given):
        if isinstance(one, SizedRun):
            runs.append(one)
            continue
        curve, fit = _curve_of(one, read)
        label = curve.source or curve.name
        if params is not None:
            size = given_size(params[k], label, NOT_STATED if embeddings else WITHOUT_EMBEDDINGS)
        else:
            source = str(one) if isinstance(one, str | PathLike) else curve.source
            size = size_of(source, curve.name, embeddings=embeddings, count=count)
        runs.append(SizedRun(_with_tokens(curve, steps[k]), size, fit))
    _refuse_other_counts(runs)
    _refuse_repeated(runs)
    return tuple(sorted(runs, key=lambda run: run.size.N))


def losses_of(runs: Sequence[SizedRun], cut: float = 0.0) -> LossTable:
    """The table of losses for `zerosum.scaling.fit`: ten rows in each factor of ten of tokens, the last the final loss.

    Each row is the mean of the losses logged around it, so that rows of one run are few and less correlated. cut: rows
    at fewer training tokens are left out. Raises InputError for a run without tokens.
    """
    names = Counter(run.name for run in runs)
    rows = [row for run in runs for row in _rows(run, run.name if names[run.name] == 1 else run.label)]
    curves: dict[tuple[float, float], tuple[LossCurve, ...]] = {}
    for run in runs:
        alike = run.size.N, run.tokens_per_step
        curves[alike] = (*curves.get(alike, ()), run.curve)
    return replace(read_table(rows, cut=cut), source=f"{len(runs)} runs", curves=curves)


def _rows(run: SizedRun, name: str) -> list[dict[str, Any]]:
    curve = run.curve
    if curve.tokens is None:
        raise InputError(
            f"{run.label}: no training tokens in this log, which laws of the loss need. Give --tokens-per-step N "
            "(tokens=), or the column (--tokens NAME)."
        )
    used = (curve.tokens > EARLIEST * curve.tokens[-1]) & (curve.tokens > 0)
    away = np.log10(curve.tokens[used] / curve.tokens[-1])
    place = np.floor(PER_DECADE * away + 0.5).astype(int)
    rows = []
    for at in np.unique(place):
        here = place == at
        rows.append(
            {
                "run": name,
                "N": run.size.N,
                "N_is": run.size.N_is,
                "D": float(np.exp(np.log(curve.tokens[used][here]).mean())),
                "loss (nats)": float(np.exp(np.log(curve.loss[used][here]).mean())),
                "step": float(np.exp(np.log(curve.step[used][here]).mean())),
                "batch": run.tokens_per_step,
            }
        )
    return rows


def _one_each(tokens: Sequence[float] | float | None, n: int) -> list[float | None]:
    values: list[float | None] = [*tokens] if isinstance(tokens, Sequence) else [tokens]
    values = values * n if len(values) == 1 else values
    if len(values) != n:
        raise InputError(f"tokens per step: {len(values)} numbers for {n} runs. Give one for all, or one for each.")
    wrong = next((value for value in values if value is not None and not 0 < value < float("inf")), None)
    if wrong is not None:
        raise InputError(f"tokens per step: {wrong} is not above 0. Give for example 524288.")
    return values


def _curve_of(one: Any, read: Callable[[Any], LossCurve]) -> tuple[LossCurve, Fit | None]:
    if isinstance(one, Fit):
        return one.curve, one
    return (one if isinstance(one, LossCurve) else read(one)), None


def _with_tokens(curve: LossCurve, per_step: float | None) -> LossCurve:
    return curve if per_step is None else replace(curve, tokens=curve.step * per_step)


def _refuse_other_counts(runs: Sequence[SizedRun]) -> None:
    first = runs[0].size if runs else None
    for run in runs:
        if first is not None and run.size.N_is != first.N_is:
            raise InputError(
                f"{run.label}: N is {run.size.N_is} ({run.size.origin}), of {runs[0].label} {first.N_is} "
                f"({first.origin}). Count the same parameters of every run: --params N,... (params=)."
            )


def _refuse_repeated(runs: Sequence[SizedRun]) -> None:
    seen: dict[bytes, SizedRun] = {}
    for run in runs:
        losses = run.curve.step.tobytes() + run.curve.loss.tobytes()
        if losses in seen:
            raise InputError(
                f"{run.label}: has every loss of {seen[losses].label} (a run given twice?). Leave one out."
            )
        seen[losses] = run
