"""Lightning's CSVLogger: `metrics.csv`, one row for each call of its logger, most of its cells empty."""

from dataclasses import replace
from pathlib import Path

from zerosum.curves._format import Choose, Columns, Format
from zerosum.curves._note import Note
from zerosum.curves.formats.csv import layout_of, logged, read_table


def _matches(head: bytes, name: str) -> bool:
    layout = layout_of(head)
    if layout is None or layout.header is None or layout.delimiter != ",":
        return False
    # Both columns are always there, and rows of training and of validation fill different cells. A log of training
    # alone has no empty cells: then the name decides.
    lines = head.decode(layout.encoding, errors="replace").splitlines()[layout.skip + 1 : -1][:200]
    sparse = any(",," in line or line.endswith(",") or line.startswith(",") for line in lines)
    return {"epoch", "step"} <= set(layout.header) and (sparse or name == "metrics.csv")


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    columns = read_table(paths, choose)
    if columns.names["step"] != "step":
        return replace(columns, format="lightning csv")
    counted = Note(
        "counted-from-0", "steps are counted from 0, as Lightning does: the loss of step k comes after k updates"
    )
    return replace(columns, format="lightning csv", notes=(*columns.notes, counted))


FORMAT = Format(
    name="Lightning metrics.csv",
    named=(),
    matches=_matches,
    read=_read,
    rank=80,
    places=("metrics.csv", "version_*/metrics.csv", "lightning_logs/version_*/metrics.csv"),
    rows=logged,
)
