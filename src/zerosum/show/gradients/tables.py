"""The tables on per-token gradients: of the page with intervals, of CSV at full precision."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from zerosum.show import numbers as n
from zerosum.show.gradients.halving import LayerAgreement, agreement_by_layer
from zerosum.show.gradients.prediction import Prediction, prediction
from zerosum.show.gradients.subject import GradientsOverTraining, Number, OneCheckpoint
from zerosum.show.gradients.words import step
from zerosum.show.names import printable
from zerosum.show.tables import Cell, Table, measured

SHARE = n.Form("", "", most=4)
PREDICTION = ("correlation", "slope", "explained", "line_explains", "same_sign")


def numbers_of(one: OneCheckpoint, names: Iterable[str]) -> dict[str, Any]:
    """One checkpoint as a row of a table: how it was measured, and numbers with their intervals."""
    row: dict[str, Any] = {
        "step": one.step,
        "method": printable(one.method, 40),
        "N": one.N,
        "n_sampled": one.n_sampled,
    }
    for name in names:
        low, high = one[name].ends or (math.nan, math.nan)
        row |= {name: one[name].value, f"{name}_low": low, f"{name}_high": high}
    return row


def halvings(over: GradientsOverTraining) -> pd.DataFrame:
    """One row for each layer: its largest agreement and the step at which that had halved."""
    return pd.DataFrame([
        {
            "layer": printable(one.layer), "depth": one.depth, "N": over.main.N,
            "largest_agreement": one.halved.largest, "last_agreement": one.agreement[-1],
            "halved_at_step": one.halved.step, "after_checkpoint": one.halved.low, "by_checkpoint": one.halved.high,
        }
        for one in agreement_by_layer(over.main)
    ])  # fmt: skip


def predictions(over: GradientsOverTraining) -> pd.DataFrame:
    """One row for each checkpoint with both kinds of changes: how well the first-order ones predict."""
    return pd.DataFrame([_prediction_row(one, found) for one, found in predicted(over)])


def predicted(over: GradientsOverTraining) -> list[tuple[OneCheckpoint, Prediction]]:
    """Checkpoints with first-order and real changes, and how well the first predict the second."""
    return [(one, prediction(one.changes)) for one in over.checkpoints if one.changes is not None]


def _prediction_row(one: OneCheckpoint, found: Prediction) -> dict[str, Any]:
    row: dict[str, Any] = {"step": one.step, "N": found.N}
    for name in PREDICTION:
        number = getattr(found, name)
        low, high = number.ends or (math.nan, math.nan)
        row |= {name: number.value, f"{name}_low": low, f"{name}_high": high}
    return row | {"no_interval_because": found.correlation.reason}


def cell(number: Number, form: n.Form = SHARE) -> Cell:
    """A number with its interval below it, or why there is none."""
    if not math.isfinite(number.value):
        return Cell("—", note=number.reason)
    return measured(number.value, number.ends, form)


def checkpoints(over: GradientsOverTraining) -> Table:
    """Every checkpoint with its numbers."""
    of = {name: (name, "") for name in ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order")}
    of |= {"null": ("null", "D_first_order, a sign per token"), "null_unit": ("null_unit", f"a sign per {over.units}")}
    of |= {"D_loss": ("D_loss", "of the real changes")}
    shown = {name: head for name, head in of.items() if any(_known(one, name) for one in over.checkpoints)}
    rows = [
        (
            Cell(n.count(one.step), note="positionwise proxy" if one.proxy else ""),
            Cell(n.count(one.N), note=_sampled(one)),
            *(cell(one[name]) for name in shown),
        )
        for one in over.checkpoints
    ]
    known = over.last.n_units
    caption = "Every checkpoint" + (f" (intervals of D over {n.counted(known, over.last.units)})" if known else "")
    return Table(caption, (("Step", ""), ("N", "tokens"), *shown.values()), tuple(rows))


def _sampled(one: OneCheckpoint) -> str:
    return f"gradients of {n.count(one.n_sampled)}" if one.n_sampled < one.N and not one.proxy else ""


def _known(one: OneCheckpoint, name: str) -> bool:
    return math.isfinite(one[name].value)


def without_interval(over: GradientsOverTraining) -> list[str]:
    """Why numbers of the checkpoints have no interval: each reason with the names that it holds for."""
    names: dict[str, dict[str, None]] = {}
    for one in over.checkpoints:
        for name in ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG", "D_first_order", "D_loss"):
            if _known(one, name) and one[name].ends is None:
                names.setdefault(one[name].reason, {})[name] = None
    return [f"{', '.join(several)}: {reason}" for reason, several in names.items()]


def layers(over: GradientsOverTraining) -> Table:
    """Every layer of the last checkpoint, in the model's order, and when its agreement had halved."""
    last = over.last
    halved = {one.layer: one for one in agreement_by_layer(over.main)}
    names = [
        name for name in ("D_grad", "C_g", "C_ug", "C_uG") if any(math.isfinite(p[name].value) for p in last.layers)
    ]
    columns = [("Layer", ""), ("Coordinates", "touched of all"), *((name, "") for name in names)]
    columns += [("Agreement halved", "step; between checkpoints")] if halved else []
    rows = []
    for part in last.layers:
        counted = Cell("—" if part.touched is None else n.count(part.touched), n.count(part.numel))
        row = [Cell(part.name), counted, *(cell(part[name]) for name in names)]
        rows.append(tuple([*row, _halved(halved.get(part.name))] if halved else row))
    proxy = ", of the positionwise proxy" if last.proxy else ""
    caption = f"Every layer at step {n.count(last.step)} (N = {n.count(last.N)} tokens{proxy})"
    return Table(caption, tuple(columns), tuple(rows))


def _halved(one: LayerAgreement | None) -> Cell:
    if one is None:
        return Cell("—", note="embedding and head are left out")
    if not one.halved.within:
        return Cell("—", note="not within these checkpoints")
    return Cell(step(one.halved.step), f"[{n.count(one.halved.low)},\xa0{n.count(one.halved.high)}]")


def first_order(over: GradientsOverTraining) -> Table:
    """How well first-order changes predict the real ones at every checkpoint."""
    columns = (
        ("Step", ""),
        ("N", "tokens"),
        ("Correlation", ""),
        ("Slope", "of the best line"),
        ("Explained", "of variance, as they stand"),
        ("By the line", "of variance"),
        ("Same sign", "of tokens"),
    )
    rows = []
    for one, found in predicted(over):
        why = "" if found.correlation.ends else f"no interval: {found.correlation.reason}"
        cells = [cell(getattr(found, name)) for name in PREDICTION]
        rows.append((Cell(n.count(one.step)), Cell(n.count(found.N), note=why), *cells))
    return Table("First-order against real loss changes", columns, tuple(rows))
