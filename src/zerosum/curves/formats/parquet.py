"""Parquet tables, read by pyarrow: the extra `parquet`."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._format import Choose, Columns, Format
from zerosum.curves._note import Note
from zerosum.curves.numerals import Numerals
from zerosum.errors import InputError, MissingExtra


def _matches(head: bytes, name: str) -> bool:
    return head[:4] == b"PAR1"


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    try:
        pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    path = paths[0]
    try:
        with pq.ParquetFile(path) as file:
            chosen = choose([f.name for f in file.schema_arrow if _is_number(f.type, pa) or _is_text(f.type, pa)])
            table = file.read(columns=list(dict.fromkeys(chosen.values())))
        notes: list[Note] = []
        numerals = Numerals(str(path), notes)
        axes = {axis: _numbers(axis, table.column(name), name, numerals, pa) for axis, name in chosen.items()}
    except InputError:
        raise
    # pyarrow's errors are OSError, ValueError, KeyError, NotImplementedError; text that is not UTF-8 is a ValueError.
    except (OSError, ValueError, KeyError, NotImplementedError, MemoryError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"{path}: not a Parquet file that can be read ({cause}). Was it cut off?") from None
    return Columns(axes, chosen, tuple(notes), "parquet")


def _is_number(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(axis: str, column: Any, name: str, numerals: Numerals, pa: Any) -> Float[np.ndarray, " n"]:
    if _is_number(column.type, pa):
        numbers: np.ndarray = column.cast(pa.float64(), safe=False).to_numpy()
        return numbers.astype(np.float64)
    return numerals.read(axis, name, column.to_pylist())


FORMAT = Format(name="Parquet", named=("*.parquet",), matches=_matches, read=_read, rank=2)
