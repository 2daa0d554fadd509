"""Parquet tables, read by pyarrow: the extra `parquet`."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._format import Choose, Columns, Format, as_number
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
            schema = file.schema_arrow
            numeric = [
                f.name
                for f in schema
                if pa.types.is_integer(f.type) or pa.types.is_floating(f.type) or pa.types.is_string(f.type)
            ]
            chosen = choose(numeric)
            table = file.read(columns=list(dict.fromkeys(chosen.values())))
        axes = {axis: _numbers(table.column(name)) for axis, name in chosen.items()}
    except InputError:
        raise
    # pyarrow's errors are OSError, ValueError, KeyError, NotImplementedError; text that is not UTF-8 is a ValueError.
    except (OSError, ValueError, KeyError, NotImplementedError, MemoryError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"{path}: not a Parquet file that can be read ({cause}). Was it cut off?") from None
    return Columns(axes, chosen, (), "parquet")


def _numbers(column: Any) -> Float[np.ndarray, " n"]:
    values: np.ndarray = column.to_numpy()
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    # Text, and whole numbers with gaps where pyarrow makes objects of them.
    return np.array([as_number(value) for value in values], dtype=np.float64)


FORMAT = Format(name="Parquet", named=("*.parquet",), matches=_matches, read=_read, rank=2)
