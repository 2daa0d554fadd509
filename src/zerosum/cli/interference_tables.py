"""`zerosum interference` for scripts: JSON documents and CSV tables, at full precision."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.atomic import new_file
from zerosum.errors import InputError
from zerosum.show.names import printable
from zerosum.show.suite.documents import interference, plain, with_reasons

if TYPE_CHECKING:
    from zerosum.interference.labelled import MeasuredGroups, Moved, Persistence, StoreInterference, WorseOften

Found = Sequence[tuple[str, "StoreInterference"]]
Row = dict[str, Any]


def pair_documents(source: str, found: "StoreInterference") -> list[Row]:
    """One document for each pair of checkpoints: numbers, groups, who moved most, and agreement with later pairs."""
    documents = []
    for pair in found.pairs:
        steps = (pair.from_step, pair.to_step)
        noise = pair.noise_floor
        documents.append(
            {
                "source": source,
                "from_step": pair.from_step,
                "to_step": pair.to_step,
                **interference(pair.measured),
                **({"problem": pair.problem} if pair.problem else {}),
                "units": pair.units,
                "left_out": pair.measured.left_out,
                "one_sided": pair.one_sided,
                **with_reasons(
                    {"noise_floor": noise.M, "noise_floor_D": noise.D},
                    dict.fromkeys(("noise_floor", "noise_floor_D"), noise.reason or ""),
                ),
                **groups_document(pair.groups, moved=pair.measured.M > 0),
                "moved": [_moved(one) for one in found.moved[steps]],
                "persistence": [_persistence(one) for one in found.persistence if one.first == steps],
            }
        )
    return documents


def store_document(source: str, found: "StoreInterference") -> Row:
    """What belongs to a store and to no pair: steps without a partner, and tokens that keep paying."""
    document: Row = {"source": source, "unpaired": list(found.unpaired), "problems": list(found.problems)}
    if found.worse_often is None:
        return document | {
            "worse_often": None,
            "worse_often_reason": "fewer than two successive pairs of the same tokens without a problem",
        }
    return document | {"worse_often": _worse_often(found.worse_often)}


def groups_document(groups: "MeasuredGroups | None", moved: bool = True) -> Row:
    """A split into groups: its factors, and each group with its numbers; why there is none."""
    if groups is None:
        reason = "no groups were asked for: name some with --by" if moved else "no loss changed, so no group moved"
        names = ("C_between", "C_within", "C_between_null")
        return {"by": None, "by_reason": reason, "groups": []} | with_reasons(
            dict.fromkeys(names, float("nan")), dict.fromkeys(names, reason)
        )
    parts = groups.split
    numbers = {"C_between": parts.C_between, "C_within": parts.C_within, "C_between_null": parts.C_between_null}
    each = [
        {
            "name": group.name,
            "w": group.w,
            **with_reasons({"net_share": group.net_share}, {"net_share": "the net change is zero"}),
            **interference(measured),
        }
        for group, measured in zip(parts.groups, groups.measured, strict=True)
    ]
    why = dict.fromkeys(numbers, "every group nets to zero")
    return {"by": groups.by, "by_note": groups.note, "groups": each} | with_reasons(numbers, why)


def _persistence(one: "Persistence") -> Row:
    found = one.found
    numbers = {name: getattr(found, name) for name in ("agreement", "expected", "excess")}
    document: Row = {
        "from_step": one.second[0],
        "to_step": one.second[1],
        "shares_checkpoint": one.shares_checkpoint,
        **with_reasons(numbers, dict.fromkeys(numbers, found.interval_reason or "")),
        "N": found.N,
    }
    if found.interval_reason:
        return document | {"interval": None, "interval_reason": found.interval_reason}
    return document | {"interval": plain(found.intervals) | {"n_units": found.n_units}}


def _moved(one: "Moved") -> Row:
    """Without what belongs to another kind: a document has no position."""
    return {name: value for name, value in (asdict(one) | {"mean": one.mean}).items() if value is not None}


def _worse_often(found: "WorseOften") -> Row:
    document: Row = plain(asdict(found))
    return document if found.interval is None else {k: v for k, v in document.items() if k != "interval_reason"}


def write_tables(folder: Path, found: Found) -> None:
    """Write each table as CSV into a folder that is there; text of the data stands in them as JSON strings."""
    documents = [pair for source, one in found for pair in pair_documents(source, one)]
    tables = {"pairs": _pair_rows, "groups": _group_rows, "persistence": _persistence_rows, "moved": _moved_rows}
    try:
        for name, rows in tables.items():
            _write(folder / f"{name}.csv", list(rows(documents)))
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}). Choose another --out.") from None


def _write(path: Path, rows: list[Row]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with new_file(path) as part, part.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _flat(document: Row) -> Row:
    """One row: an interval becomes columns `<name>_low` and `<name>_high`, and only numbers and words stay."""
    row: Row = {}
    for name, value in document.items():
        if name == "interval":
            ends = value or {}
            for of, pair in ends.items():
                if isinstance(pair, list):
                    row |= {f"{of}_low": pair[0], f"{of}_high": pair[1]}
            row |= {"n_units": ends.get("n_units"), "interval_level": ends.get("level")}
        elif isinstance(value, bool | int | float | None):
            row[name] = value
        elif isinstance(value, str):
            row[name] = json.dumps(value) if name in ("text", "context") else printable(value, 1_000)
    return row


def _of(pair: Row) -> Row:
    return _flat({name: pair[name] for name in ("source", "from_step", "to_step")})


def _pair_rows(documents: list[Row]) -> Iterator[Row]:
    for pair in documents:
        yield _flat(pair)


def _group_rows(documents: list[Row]) -> Iterator[Row]:
    for pair in documents:
        for group in pair["groups"]:
            yield _of(pair) | {"by": pair["by"]} | _flat(group)


def _persistence_rows(documents: list[Row]) -> Iterator[Row]:
    for pair in documents:
        for one in pair["persistence"]:
            later = {"later_from_step": one["from_step"], "later_to_step": one["to_step"]}
            yield _of(pair) | later | {k: v for k, v in _flat(one).items() if k not in ("from_step", "to_step")}


def _moved_rows(documents: list[Row]) -> Iterator[Row]:
    for pair in documents:
        for one in pair["moved"]:
            yield _of(pair) | _flat(one)
