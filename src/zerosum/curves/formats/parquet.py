"""Parquet tables, read by pyarrow: the extra `parquet`."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.curves._format import Choose, Columns, Format
from zerosum.curves._note import Note
from zerosum.curves._table import Cells
from zerosum.curves.numerals import Numerals
from zerosum.curves.series import read_series
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
            notes: list[Note] = []
            axes, chosen = read_series(_Table(file, Numerals(str(path), notes), pa), choose)
    except InputError:
        raise
    # pyarrow's errors are OSError, ValueError, KeyError, NotImplementedError; text that is not UTF-8 is a ValueError.
    except (OSError, ValueError, KeyError, NotImplementedError, MemoryError) as error:
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:100]
        raise InputError(f"{path}: not a Parquet file that can be read ({cause}). Was it cut off?") from None
    return Columns(axes, chosen, tuple(notes), "parquet")


@dataclass(frozen=True)
class _Table:
    """The columns of numbers, texts and truth values of a file, each read when it is asked for."""

    file: Any
    numerals: Numerals
    pa: Any

    @property
    def names(self) -> list[str]:
        return [field.name for field in self.file.schema_arrow if _is_readable(field.type, self.pa)]

    def numbers(self, axis: str, name: str) -> Float[np.ndarray, " n"]:
        column = self._column(name)
        if _is_number(column.type, self.pa):
            numbers: np.ndarray = column.cast(self.pa.float64(), safe=False).to_numpy()
            return numbers.astype(np.float64)
        return self.numerals.read(axis, name, column.to_pylist())

    def cells(self, name: str) -> Cells:
        column = self._column(name)
        cells: Cells = column.to_numpy() if _is_number(column.type, self.pa) else column.to_pylist()
        return cells

    def _column(self, name: str) -> Any:
        return self.file.read(columns=[name]).column(name)


def _is_readable(kind: Any, pa: Any) -> bool:
    return _is_number(kind, pa) or _is_text(kind, pa) or bool(pa.types.is_boolean(kind))


def _is_number(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_text(kind: Any, pa: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


FORMAT = Format(name="Parquet", named=("*.parquet",), matches=_matches, read=_read, rank=2)
