"""What was measured, shown: figures, tables, one HTML page, a terminal table, JSON. Loads no torch.

`measured.py` reads a run directory; everything else only shows numbers that are given. Names are loaded when first
used, so that `zerosum.report.numbers`, which terminals need, comes without matplotlib and pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.report._json import to_json
    from zerosum.report.measured import summarize_run
    from zerosum.report.seeds import across_seeds
    from zerosum.report.summary import (
        AcrossSeeds,
        CutoffFit,
        DoubleStep,
        Estimate,
        OneStep,
        RunSummary,
        SeedD,
        SuiteSummary,
    )
    from zerosum.report.terminal import terminal_table
    from zerosum.report.write import write_report

_FILE_OF = {
    "AcrossSeeds": "summary",
    "CutoffFit": "summary",
    "DoubleStep": "summary",
    "Estimate": "summary",
    "OneStep": "summary",
    "RunSummary": "summary",
    "SeedD": "summary",
    "SuiteSummary": "summary",
    "across_seeds": "seeds",
    "summarize_run": "measured",
    "terminal_table": "terminal",
    "to_json": "_json",
    "write_report": "write",
}

__all__ = [
    "AcrossSeeds",
    "CutoffFit",
    "DoubleStep",
    "Estimate",
    "OneStep",
    "RunSummary",
    "SeedD",
    "SuiteSummary",
    "across_seeds",
    "summarize_run",
    "terminal_table",
    "to_json",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'zerosum.report' has no attribute {name!r}")
    return getattr(import_module(f"zerosum.report.{_FILE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
