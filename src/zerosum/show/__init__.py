"""What was measured, shown: figures, tables, HTML pages, terminal tables, JSON. Loads no torch.

`sections/` has a file for each part of a page; `suite/` and `run/` are older pages.
Names are loaded when first used, so that `zerosum.show.numbers`, which terminals need, comes without matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.show.run.subject import Missing, RunReport
    from zerosum.show.run.write import write_run
    from zerosum.show.suite.documents import to_json
    from zerosum.show.suite.measured import summarize_run
    from zerosum.show.suite.seeds import across_seeds
    from zerosum.show.suite.summary import (
        AcrossSeeds,
        CutoffFit,
        DoubleStep,
        Estimate,
        OneStep,
        RunSummary,
        SeedD,
        SuiteSummary,
    )
    from zerosum.show.suite.terminal import terminal_table
    from zerosum.show.suite.write import write_report

_FILE_OF = {
    "AcrossSeeds": "suite.summary",
    "CutoffFit": "suite.summary",
    "DoubleStep": "suite.summary",
    "Estimate": "suite.summary",
    "Missing": "run.subject",
    "OneStep": "suite.summary",
    "RunReport": "run.subject",
    "RunSummary": "suite.summary",
    "SeedD": "suite.summary",
    "SuiteSummary": "suite.summary",
    "across_seeds": "suite.seeds",
    "summarize_run": "suite.measured",
    "terminal_table": "suite.terminal",
    "to_json": "suite.documents",
    "write_report": "suite.write",
    "write_run": "run.write",
}

__all__ = [
    "AcrossSeeds",
    "CutoffFit",
    "DoubleStep",
    "Estimate",
    "Missing",
    "OneStep",
    "RunReport",
    "RunSummary",
    "SeedD",
    "SuiteSummary",
    "across_seeds",
    "summarize_run",
    "terminal_table",
    "to_json",
    "write_report",
    "write_run",
]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'zerosum.show' has no attribute {name!r}")
    return getattr(import_module(f"zerosum.show.{_FILE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
