"""What a suite of runs says, shown: figures, one HTML page, a terminal table, JSON.

`measured.py` reads a run directory; everything else only shows numbers that are given. Loads no torch.
"""

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
