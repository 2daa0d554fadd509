"""The tables of dissent at full precision: checkpoints, parameters, layers, classes of label frequency, levels."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from zerosum.show.dissent.subject import BATCH, READ, DissentOverTraining, Document
from zerosum.show.names import printable

Row = dict[str, Any]


def checkpoints(over: DissentOverTraining) -> pd.DataFrame:
    """One row for each checkpoint."""
    return pd.DataFrame([_checkpoint(one) for one in over.documents])


def _checkpoint(one: Document) -> Row:
    row: Row = {"step": one["step"], "tokens_seen": one["tokens_seen"], "N": one["N"]}
    row |= {name: one[name] for name in ("n_sequences", "units", "n_units")} | _spread("loss", one["loss"])
    row |= _spreads("token", one["token"])
    for place in BATCH:
        row |= {f"{place}_{name}": one[place][name] if one[place] else None for name in READ}
    if one["head"]:
        row |= {**_spreads("rows", one["head"]["rows"]), "n_unlabelled": one["head"]["n_unlabelled"]}
    return row


def _spreads(place: str, spreads: Document) -> Row:
    return {key: value for name, one in spreads.items() for key, value in _spread(f"{place}_{name}", one).items()}


def _spread(name: str, one: Document) -> Row:
    low, high = one["interval"] or (None, None)
    row = {name: one["mean"], f"{name}_low": low, f"{name}_high": high}
    row |= {f"{name}_{percent}": value for percent, value in one["quantiles"].items()}
    return row | {f"{name}_N": one["N"], f"{name}_left_out": one["left_out"]}


def parts(over: DissentOverTraining, which: str) -> pd.DataFrame:
    """One row for each checkpoint and each of its parameters or layers. which: "parameters" or "layers"."""
    return pd.DataFrame(list(_parts(over, which)), columns=["step", *_PART])


_PART = ("name", "kind", "numel", *READ, "norm_attraction", "norm_repulsion")


def _parts(over: DissentOverTraining, which: str) -> Iterator[Row]:
    for one in over.documents:
        for part in one[which]:
            yield {"step": one["step"], **{name: part[name] for name in _PART}, "name": printable(part["name"])}


def frequency(over: DissentOverTraining) -> pd.DataFrame:
    """One row for each checkpoint and class of label frequency."""
    return pd.DataFrame([
        {
            "step": one["step"], "label_count": each["label_count"], "n_labels": each["n_labels"],
            **_spreads("token", each["token"]), **_spreads("rows", each["rows"]),
        }
        for one in over.documents
        for each in one["frequency"]
    ])  # fmt: skip


def reached(over: DissentOverTraining) -> pd.DataFrame:
    """One row for each level of head and body: where it was first reached, or why that is not known."""
    columns = ["of", "level", "step", "loss", "between_low", "between_high", "stays", "reason"]
    return pd.DataFrame([_reached(one.found) for one in over.reached], columns=columns)


def _reached(found: Document) -> Row:
    low, high = found["between"] or (None, None)
    row = {name: found.get(name) for name in ("of", "level", "step", "loss", "stays", "reason")}
    return row | {"between_low": low, "between_high": high}
