"""What was measured, shown: figures, tables, HTML pages, terminal tables, JSON. Loads no torch.

`suite/` shows runs that were trained and measured here, `logs/` plain loss curves; what both share stands beside them.
Names are loaded when first used, so that `zerosum.report.numbers`, which terminals need, comes without matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.report.logs.write import write_logs
    from zerosum.report.suite._json import to_json
    from zerosum.report.suite.measured import summarize_run
    from zerosum.report.suite.seeds import across_seeds
    from zerosum.report.suite.summary import (
        AcrossSeeds,
        CutoffFit,
        DoubleStep,
        Estimate,
        OneStep,
        RunSummary,
        SeedD,
        SuiteSummary,
    )
    from zerosum.report.suite.terminal import terminal_table
    from zerosum.report.suite.write import write_report

_FILE_OF = {
    "AcrossSeeds": "suite.summary",
    "CutoffFit": "suite.summary",
    "DoubleStep": "suite.summary",
    "Estimate": "suite.summary",
    "OneStep": "suite.summary",
    "RunSummary": "suite.summary",
    "SeedD": "suite.summary",
    "SuiteSummary": "suite.summary",
    "across_seeds": "suite.seeds",
    "summarize_run": "suite.measured",
    "terminal_table": "suite.terminal",
    "to_json": "suite._json",
    "write_logs": "logs.write",
    "write_report": "suite.write",
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
    "write_logs",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'zerosum.report' has no attribute {name!r}")
    return getattr(import_module(f"zerosum.report.{_FILE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
