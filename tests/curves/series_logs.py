"""Logs of several series, with the curve that is right: made up by hypothesis.

`read_series_logs` asks of each: the right curve, or a refusal in one line; never another curve.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from written import put

from zerosum.curves import LossCurve, read_curve
from zerosum.errors import InputError

Row = dict[str, Any]
SPLITS = [
    ("split", "train", "val"),
    ("phase", "Training", "validation"),
    ("mode", "tr", "eval"),
    ("set", "train", "test"),
]
RUN_COLUMNS = ["run", "model", "variant", "seed", "flavour", "n_layers"]
METRICS = ["metric", "name", "metricName", "key"]


@dataclass(frozen=True)
class SeriesLog:
    """rows: in the order written. right: steps and losses of the one curve that may be read; None: none may.

    must_read: whether a refusal would be wrong, too. code: of the note that has to be there where it is read.
    """

    rows: list[Row]
    right: tuple[list[float], list[float]] | None
    must_read: bool = False
    code: str = ""


@st.composite
def power_laws(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Steps and losses of a run: an interval, a start, a rate, noise."""
    n = draw(st.integers(12, 60))
    interval = draw(st.sampled_from([1, 5, 10, 50, 100]))
    steps = interval * np.arange(draw(st.sampled_from([0, 1])), n + 1.0)[:n]
    rate, noise = draw(st.floats(0.05, 0.4)), draw(st.sampled_from([0.0, 0.003, 0.01]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    losses = 3.0 * ((steps + interval) / steps[-1]) ** -rate * np.exp(noise * rng.standard_normal(n))
    assume(losses[0] < 13)
    return steps, np.round(losses, 6)


def _curve(steps: np.ndarray, losses: np.ndarray) -> tuple[list[float], list[float]]:
    return steps.tolist(), losses.tolist()


@st.composite
def splits(draw: st.DrawFn) -> SeriesLog:
    """Training and validation rows, told apart by a label; the validation is logged at some of the steps."""
    steps, losses = draw(power_laws())
    column, train, val = draw(st.sampled_from(SPLITS))
    every = draw(st.integers(1, 4))
    val_rows = [
        {"step": s, column: val, "loss": round(y * 1.1, 6)}
        for s, y in zip(steps[::every], losses[::every], strict=True)
    ]
    rows = [{"step": s, column: train, "loss": y} for s, y in zip(*_curve(steps, losses), strict=True)]
    if draw(st.booleans()):
        rows = sorted([*rows, *val_rows], key=lambda row: (row["step"], row[column] == val))
    else:
        rows = [*val_rows, *rows] if draw(st.booleans()) else [*rows, *val_rows]
    return SeriesLog(rows, _curve(steps, losses), must_read=True, code="series-chosen")


@st.composite
def several_runs(draw: st.DrawFn) -> SeriesLog:
    """Two or more runs in one table, row by row or one after the other: only a refusal is right."""
    steps, losses = draw(power_laws())
    column = draw(st.sampled_from(RUN_COLUMNS))
    labels = [0, 1, 2] if column in ("seed", "n_layers") else ["a", "b", "c"]
    count = draw(st.integers(2, 3))
    rows = [
        {"step": s, column: labels[k], "loss": round(y * (1 + 0.1 * k), 6)}
        for k in range(count)
        for s, y in zip(*_curve(steps, losses), strict=True)
    ]
    if draw(st.booleans()):
        rows = sorted(rows, key=lambda row: row["step"])
    return SeriesLog(rows, None)


@st.composite
def ranks(draw: st.DrawFn) -> SeriesLog:
    """The losses of several ranks at the same steps: their mean."""
    steps, losses = draw(power_laws())
    count, column = draw(st.integers(2, 4)), draw(st.sampled_from(["rank", "local_rank", "worker", "host"]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    each = np.round(losses * np.exp(0.02 * rng.standard_normal((count, len(steps)))), 6)
    name = (lambda k: f"node{k}") if column == "host" else (lambda k: k)
    rows = [
        {column: name(k), "step": float(s), "loss": float(each[k, t])}
        for t, s in enumerate(steps)
        for k in range(count)
    ]
    if draw(st.booleans()):
        rows = sorted(rows, key=lambda row: str(row[column]))
    return SeriesLog(rows, _curve(steps, each.mean(axis=0)), must_read=True, code="ranks-averaged")


@st.composite
def long_forms(draw: st.DrawFn) -> SeriesLog:
    """A row for each metric of each step."""
    steps, losses = draw(power_laws())
    column, loss = draw(st.sampled_from(METRICS)), draw(st.sampled_from(["train_loss", "loss", "train/loss"]))
    others = draw(st.lists(st.sampled_from(["val_loss", "grad_norm", "lr"]), unique=True, max_size=3))
    rows = [
        {"step": s, column: metric, "value": y if metric == loss else 0.1 * y}
        for s, y in zip(*_curve(steps, losses), strict=True)
        for metric in [*others, loss]
    ]
    return SeriesLog(rows, _curve(steps, losses), must_read=True, code="series-chosen")


@st.composite
def epochs(draw: st.DrawFn) -> SeriesLog:
    """Steps counted within each epoch, with a column of the epoch or without."""
    steps, losses = draw(power_laws())
    per, with_column = draw(st.integers(6, 10)), draw(st.booleans())
    whole = len(steps) // per * per
    assume(whole >= 2 * per)
    steps, losses = steps[:whole], losses[:whole]
    within = np.tile(steps[:per], whole // per)
    rows: list[Row] = [{"step": s, "loss": y} for s, y in zip(*_curve(within, losses), strict=True)]
    for k, row in enumerate(rows if with_column else []):
        row["epoch"] = k // per
    code = "steps-of-epochs" if with_column else "steps-continued"
    return SeriesLog(rows, _curve(steps, losses), must_read=with_column, code=code)


@st.composite
def jobs(draw: st.DrawFn) -> SeriesLog:
    """A second, shorter job at another level behind the first."""
    steps, losses = draw(power_laws())
    k = draw(st.integers(5, len(steps) - 2))
    level = draw(st.sampled_from([0.3, 0.5]))
    second = np.round(losses[-1] * level * (1 - 0.001 * np.arange(k)), 6)
    rows = [{"step": s, "loss": y} for s, y in zip([*steps, *steps[:k]], [*losses, *second], strict=True)]
    return SeriesLog(rows, _curve(steps, losses), must_read=True, code="several-jobs")


@st.composite
def resumed(draw: st.DrawFn) -> SeriesLog:
    """A run that went back to a checkpoint in its middle: the last of each step, as ever."""
    steps, losses = draw(power_laws())
    assume(len(steps) > 20)
    back, crash = sorted(draw(st.tuples(st.integers(8, len(steps) - 2), st.integers(8, len(steps) - 2))))
    assume(crash - back >= 3)
    again = np.round(losses[back:] * 1.001, 6)
    order = [*range(crash), *range(back, len(steps))]
    written = [*losses[:crash], *again]
    rows = [{"step": float(steps[at]), "loss": float(y)} for at, y in zip(order, written, strict=True)]
    return SeriesLog(rows, (steps.tolist(), [*losses[:back].tolist(), *again.tolist()]))


SERIES = {
    "splits": splits(),
    "runs": several_runs(),
    "ranks": ranks(),
    "long forms": long_forms(),
    "epochs": epochs(),
    "jobs": jobs(),
    "resumed": resumed(),
}


def as_csv(rows: list[Row]) -> str:
    """A table; a column for each key."""
    names = list(rows[0])
    return "\n".join([",".join(names), *(",".join(str(row[name]) for name in names) for row in rows), ""])


def as_lines(rows: list[Row]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def read_series_logs(kind: str, folder: Path, cases: int) -> None:
    """Logs of one kind of SERIES, as CSV and as JSON lines."""

    @settings(max_examples=cases, deadline=None)
    @given(SERIES[kind], st.booleans())
    def read(log: SeriesLog, table: bool) -> None:
        path = put(folder / ("log.csv" if table else "log.jsonl"), (as_csv if table else as_lines)(log.rows).encode())
        curve, refusal = _read_or_refused(path)
        assert "\n" not in refusal
        assert not (refusal and log.must_read), refusal
        if curve is not None:
            assert log.right is not None, curve.cleaning
            _assert_same(curve, log)

    read()


def _read_or_refused(path: Path) -> tuple[LossCurve | None, str]:
    try:
        return read_curve(path), ""
    except InputError as error:
        return None, str(error)


def _assert_same(curve: LossCurve, log: SeriesLog) -> None:
    assert log.right is not None
    np.testing.assert_allclose(curve.step, log.right[0], rtol=0, atol=1e-9, err_msg=str(curve.cleaning))
    np.testing.assert_allclose(curve.loss, log.right[1], rtol=1e-12, err_msg=str(curve.cleaning))
    assert not log.code or log.code in curve.cleaning_codes
