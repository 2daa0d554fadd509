"""Where a loss curve slows down: the one-break law, its fit, intervals, and a verdict. numpy and scipy only.

Knows nothing of models or files: a `LossCurve` comes in, a `Fit` goes out. Two ways to make points of a curve
(`robust.py`, `paper.py`), one least-squares search for both (`varpro.py`).
"""

from zerosum.deceleration._analysis import Analysis, analyse
from zerosum.deceleration._breaks import Break, Breaks, fit_breaks
from zerosum.deceleration._compare import Batches, Comparison, Term, compare
from zerosum.deceleration._fit import compare_models, cutoff_table, fit
from zerosum.deceleration._forecast import (
    BacktestRow,
    Forecast,
    backtest,
    backtest_of,
    forecast,
    forecast_of,
    law_forecast,
)
from zerosum.deceleration._record import CutoffRow, Fit, ModelRow, Reason
from zerosum.deceleration.bnsl import BNSL, asymptote
from zerosum.deceleration.ngram_stage import with_ngram_stage

__all__ = [
    "BNSL",
    "Analysis",
    "BacktestRow",
    "Batches",
    "Break",
    "Breaks",
    "Comparison",
    "CutoffRow",
    "Fit",
    "Forecast",
    "ModelRow",
    "Reason",
    "Term",
    "analyse",
    "asymptote",
    "backtest",
    "backtest_of",
    "compare",
    "compare_models",
    "cutoff_table",
    "fit",
    "fit_breaks",
    "forecast",
    "forecast_of",
    "law_forecast",
    "with_ngram_stage",
]
