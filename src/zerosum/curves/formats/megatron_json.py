"""Megatron's golden values: one JSON object, for each metric its `values` by step, as numbers or "nan"."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerosum.curves._format import Choose, Columns, Format, columns_of_rows
from zerosum.curves.json_file import load_object
from zerosum.curves.numerals import as_number
from zerosum.errors import InputError


def _matches(head: bytes, name: str) -> bool:
    begins = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    return begins and b'"values"' in head and (b'"start_step"' in head or b'"step_interval"' in head)


def _read(paths: tuple[Path, ...], choose: Choose) -> Columns:
    path = paths[0]
    metrics = {
        name: metric["values"]
        for name, metric in load_object(path).items()
        if isinstance(metric, dict) and isinstance(metric.get("values"), dict | list)
        for metric in [_with_steps(path, name, metric)]
    }
    if not metrics:
        raise InputError(f"{path}: no metric with values in it. Check the file.")
    rows: dict[float, dict[str, Any]] = {}
    for name, values in metrics.items():
        for step, value in values.items():
            rows.setdefault(step, {"step": step})[name] = value
    return columns_of_rows(
        [rows[step] for step in sorted(rows)], choose, str(path), notes=(), format="megatron golden values"
    )


def _with_steps(path: Path, name: str, metric: Mapping[str, Any]) -> dict[str, dict[float, Any]]:
    """Values by step. Newer files name each step; older ones list the values from start_step on."""
    values = metric["values"]
    if isinstance(values, dict):
        by_step = {as_number(step): value for step, value in values.items()}
        if any(step != step for step in by_step):
            wrong = next(step for step in values if as_number(step) != as_number(step))
            raise InputError(f"{path}: {wrong[:30]!r} in {name[:60]!r} is not a step. Mend or remove it.")
        return {"values": by_step}
    start, interval = as_number(metric.get("start_step")), as_number(metric.get("step_interval"))
    if not (abs(start) < 1e15 and 0 < interval < 1e15):
        raise InputError(
            f"{path}: {name[:60]!r} lists its values without start_step and step_interval, so that no value has a "
            "step. Add them."
        )
    return {"values": {start + interval * k: value for k, value in enumerate(values)}}


FORMAT = Format(name="Megatron golden values", named=(), matches=_matches, read=_read, rank=6)
