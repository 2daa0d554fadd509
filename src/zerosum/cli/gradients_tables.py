"""`zerosum gradients --out`: the whole document, and tables as CSV at full precision."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zerosum.atomic import new_file, write_text
from zerosum.errors import InputError
from zerosum.show.names import printable

Row = dict[str, Any]


def write_tables(folder: Path, documents: Sequence[Row]) -> None:
    """One row for each checkpoint, for each of its parameters, and for each of its layers."""
    tables = {"checkpoints": [_checkpoint(one) for one in documents]}
    for name in ("parameters", "layers"):
        tables[name] = [{"step": one["step"], **_flat(row)} for one in documents for row in one[name]]
        tables[f"positionwise_{name}"] = [
            {"step": one["step"], **_flat(row)}
            for one in documents
            for row in one.get("positionwise", {}).get(name, [])
        ]
    try:
        text = json.dumps({"checkpoints": list(documents)}, indent=2, allow_nan=False)
        write_text(folder / "gradients.json", text + "\n")
        for name, rows in ((name, rows) for name, rows in tables.items() if rows):
            columns = list(dict.fromkeys(key for row in rows for key in row))
            with new_file(folder / f"{name}.csv") as part, part.open("w", newline="", encoding="utf-8") as handle:
                writer = csv.DictWriter(handle, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}). Choose another --out.") from None


def _checkpoint(one: Row) -> Row:
    row = _flat({name: value for name, value in one.items() if name != "seed"})
    for name, ends in one["intervals"].items():
        if isinstance(ends, list):
            row |= {f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return row


def _flat(row: Row) -> Row:
    """Numbers and short words; reasons stand in the document."""
    return {
        name: printable(value, 1_000) if isinstance(value, str) else value
        for name, value in row.items()
        if not name.endswith("_reason") and isinstance(value, bool | int | float | str | None)
    }
