"""Read a table of losses: take what people have, convert what is stated, refuse what contradicts itself.

Rows are counted from 1, without the header; a refusal names the row and the remedy.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from zerosum.errors import InputError
from zerosum.scaling import columns as c
from zerosum.scaling.loss_units import in_nats, stated_unit
from zerosum.scaling.reason import Reason
from zerosum.scaling.row_checks import refuse_duplicates, refuse_loss_outside, refuse_other_scales, tokens_of
from zerosum.scaling.table import LossTable


def read_table(
    given: Any,
    *,
    loss: str | None = None,
    n_params: str | None = None,
    loss_unit: str | None = None,
    where: dict[str, str] | None = None,
    cut: float = 0.0,
) -> LossTable:
    """The table of losses in a CSV file, a data frame, a mapping of columns or a sequence of mappings.

    Columns: N, D (tokens) and/or C (training FLOPs), loss; and where there are such: run, seed, step, batch, lr,
    loss_lo95, loss_hi95, loss_unit. Counts may be written as 14M or 1.2B. loss, n_params: names of these columns, where
    several fit. loss_unit: "nats", "bits" (per token), "log10" or "perplexity". where: column -> value of the rows to
    read. cut: training tokens; rows with fewer, such as those of the warm-up, are left out.

    Runs of the same N, D, batch and lr are seeds of one size: their losses are averaged, and `seed_sd` is their spread.
    Without a column of runs, a size is a run. Raises InputError, one line with the row and the remedy, for what cannot
    be used.
    """
    if isinstance(given, LossTable):
        if loss or n_params or loss_unit or where or cut:
            raise InputError(f"{given.source}: is read already. Give loss, loss_unit, where and cut to read_table.")
        return given
    rows, source = c.read_rows(given)
    rows = _chosen(rows, where, source)
    names = list(rows[0])
    size, N_is, size_notes = _size_column(rows, names, n_params, source)
    loss_column = _loss_column(names, loss, source)
    unit = stated_unit(rows, loss_column, c.column_of(names, "unit"), loss_unit, source)
    N = np.array(c.numbers(rows, size, source))
    D, C = (_optional(rows, names, quantity, source) for quantity in ("D", "C"))
    if np.isnan(D).all() and np.isnan(C).all():
        raise InputError(
            f"{source}: row 1: has neither D nor C. Call the column of training tokens D. Columns: {', '.join(names)}."
        )
    D, tokens_note = tokens_of(N, D, C, source)
    refuse_other_scales(N, D, source)
    raw = np.array(c.numbers(rows, loss_column, source))
    nats, unit_note = in_nats(raw, unit, loss_column, source)
    low, high = (
        in_nats(_optional(rows, names, quantity, source), unit, quantity, source)[0]
        for quantity in ("loss_low", "loss_high")
    )
    refuse_loss_outside(nats, low, high, source)
    run = _runs(rows, names)
    refuse_duplicates(run, N, D, nats, source)
    by_size = Reason("runs-by-size", "note", "no column of runs: all rows of one N are taken as one run")
    notes = (*size_notes, unit_note, tokens_note, by_size if run is None else None)
    table = LossTable(
        run=run or tuple(f"N = {value:g}" for value in N),
        N=N,
        D=D,
        loss=nats,
        loss_low=low,
        loss_high=high,
        step=_optional(rows, names, "step", source, zero=True),
        batch=_optional(rows, names, "batch", source),
        lr=_optional(rows, names, "lr", source, zero=True),
        seeds=np.ones(len(rows), dtype=int),
        N_is=N_is,
        unit_given=unit or "nats",
        source=source,
        notes=tuple(note for note in notes if note is not None),
    )
    return _seeds_averaged(_after(table, cut))


def _runs(rows: c.Rows, names: list[str]) -> tuple[str, ...] | None:
    """The run of each row: its name, and its seed where there is a column of seeds; None without names."""
    run, seed = (c.column_of(names, quantity) for quantity in ("run", "seed"))
    if run is None:
        return None
    own = [f" seed {row.get(seed)}" if seed is not None and not c.is_empty(row.get(seed)) else "" for row in rows]
    return tuple(f"{row.get(run)}{of_seed}" for row, of_seed in zip(rows, own, strict=True))


def _after(table: LossTable, cut: float) -> LossTable:
    """The rows of at least so many tokens."""
    if not (math.isfinite(cut) and cut >= 0):
        raise InputError(f"cut: {cut} is not a number of tokens. Give for example 1e9.")
    late = cut <= table.D
    if late.all():
        return table
    if not late.any():
        raise InputError(f"{table.source}: no row has {cut:g} tokens; the most are {table.D.max():.4g}. Lower the cut.")
    note = Reason("cut", "note", f"{(~late).sum()} of {len(table)} rows, of fewer than {cut:.4g} tokens, are left out")
    return replace(table.rows(late), notes=(*table.notes, note))


def _chosen(rows: c.Rows, where: dict[str, str] | None, source: str) -> c.Rows:
    for column, value in (where or {}).items():
        if column not in rows[0]:
            raise InputError(f"{source}: no column {column!r} to choose rows by. Its columns: {', '.join(rows[0])}.")
        rows = [row for row in rows if str(row.get(column)) == value]
        if not rows:
            raise InputError(f"{source}: no row has {column} = {value!r}. Choose a value that is there.")
    return rows


def _optional(rows: c.Rows, names: list[str], quantity: str, source: str, zero: bool = False) -> Any:
    column = c.column_of(names, quantity)
    if column is None:
        return np.full(len(rows), math.nan)
    if zero:
        return np.array([c.amount(row.get(column)) for row in rows])
    return np.array(c.numbers(rows, column, source, may_lack=True))


def _size_column(rows: c.Rows, names: list[str], given: str | None, source: str) -> tuple[str, str, tuple[Reason, ...]]:
    """Column of N, what N counts, and notes."""
    known = c.size_columns(names)
    if given is not None:
        if given not in names:
            raise InputError(f"{source}: no column {given!r} for N. Its columns: {', '.join(names)}.")
        return given, next((meaning for meaning, column in known.items() if column == given), c.NOT_STATED), ()
    if not known:
        raise InputError(
            f"{source}: no column of parameters. Call it N (n_params=COLUMN). Its columns: {', '.join(names)}."
        )
    column, meaning = c.choose_size(known)
    per_row = c.column_of(names, "N_is")
    if per_row is not None:
        meanings = [str(row.get(per_row)).strip() for row in rows]
        if odd := next((k for k, text in enumerate(meanings) if text != meanings[0]), None):
            raise InputError(
                f"{source}: row {odd + 1}: N is {meanings[odd]!r}, in row 1 {meanings[0]!r}. Count the same parameters "
                "in every row."
            )
        meaning = meanings[0]
    notes = []
    if len(known) > 1:
        others = ", ".join(name for name in known.values() if name != column)
        notes.append(Reason("N-chosen", "note", f"N is column {column!r}; not used: {others}"))
    if meaning == c.NOT_STATED:
        notes.append(Reason("N-not-stated", "note", f"column {column!r} does not state whether N has embeddings in it"))
    return column, meaning, tuple(notes)


def _loss_column(names: list[str], given: str | None, source: str) -> str:
    if given is not None:
        if given not in names:
            raise InputError(f"{source}: no column {given!r} for the loss. Its columns: {', '.join(names)}.")
        return given
    ends = {c.column_of(names, quantity) for quantity in ("loss_low", "loss_high", "unit")}
    exact = [name for name in names if c.plain(name) == "loss"]
    words = ("loss", "perplexity", "ppl", "bpb", "nll")
    found = exact or [name for name in names if name not in ends and any(word in c.plain(name) for word in words)]
    if len(found) != 1:
        what = f"several columns may be the loss ({', '.join(found)})" if found else "no column of losses"
        raise InputError(f"{source}: {what}. Name it: --loss COLUMN (loss=). Its columns: {', '.join(names)}.")
    return found[0]


def _seeds_averaged(table: LossTable) -> LossTable:
    """Rows of one N, D, batch and lr become one row with the mean of log loss; their spread becomes `seed_sd`."""
    groups: dict[tuple[float, ...], list[int]] = {}
    points = np.nan_to_num(np.stack([table.N, table.D, table.batch, table.lr], axis=-1))
    for k, point in enumerate(points.tolist()):
        groups.setdefault(tuple(point), []).append(k)
    if len(groups) == len(table):
        return table
    y = np.log(table.loss)
    df = sum(len(rows) - 1 for rows in groups.values())
    sd = math.sqrt(sum(float(((y[rows] - y[rows].mean()) ** 2).sum()) for rows in groups.values()) / df)
    means = {rows[0]: float(np.exp(y[rows].mean())) for rows in groups.values()}
    chosen = table.rows(list(means))
    label = {rows[0]: table.run[rows[0]] for rows in groups.values()}
    first_of_size: dict[tuple[str, ...], str] = {}
    for rows in groups.values():
        members = tuple(sorted({table.run[k] for k in rows}))
        label[rows[0]] = first_of_size.setdefault(members, members[0] if len(members) == 1 else " + ".join(members))
    none = np.full(len(chosen), math.nan)
    most = max(map(len, groups.values()))
    note = Reason(
        "seeds-averaged",
        "note",
        f"{len(table)} rows are {len(groups)} after averaging up to {most} seeds of one N and D; log loss differs "
        f"between seeds by a standard deviation of {sd:.2g}",
    )
    return replace(
        chosen,
        run=tuple(label[k] for k in means),
        loss=np.array(list(means.values())),
        loss_low=none,
        loss_high=none,
        seeds=np.array([len(rows) for rows in groups.values()]),
        seed_sd=sd,
        seed_df=df,
        notes=(*table.notes, note),
    )
