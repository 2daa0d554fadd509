"""The two tables of the paper and the decomposition, at full precision: what CSV holds and LaTeX rounds.

The paper's Table 1 lists L_d, t_d, r_d, L_T and L_T_hat of each model, its appendix the parameters of the law. A
number of a break stands here only where the verdict says that there is one.
"""

import math
from typing import Any

import pandas as pd

from zerosum.deceleration import Analysis, Comparison
from zerosum.show.logs.subject import Logs
from zerosum.show.words import BREAKS

BREAK_NUMBERS = ("L_d", "t_d", "r_d")
PARAMETERS = ("b", "c0", "c1", "d1", "f1")


def fits(logs: Logs) -> pd.DataFrame:
    """One row for each curve: the numbers of the break with intervals, the loss reached and predicted, the verdict."""
    return pd.DataFrame([_fit(name, one) for name, one in logs.named])


def _fit(name: str, one: Analysis) -> dict[str, Any]:
    fit, row = one.fit, {"run": name, "verdict": one.fit.verdict}
    believed = fit.verdict in BREAKS
    numbers: dict[str, Any] = {}
    for symbol in BREAK_NUMBERS:
        ends = (fit.intervals.get(symbol) if believed else None) or (math.nan, math.nan)
        numbers[symbol] = getattr(fit, symbol) if believed else math.nan
        numbers |= {f"{symbol}_low": ends[0], f"{symbol}_high": ends[1]}
        numbers[f"{symbol}_interval_reason"] = fit.interval_reasons.get(symbol, "") if believed else ""
    about = ("rsle", "n_points", "n_bins", "first_step", "last_step", "cutoff", "procedure", "interval_level")
    return {
        **row,
        **numbers,
        "L_T": fit.L_T,
        "L_T_hat": fit.L_T_hat if believed else math.nan,
        **{what: getattr(fit, what) for what in about},
        "reasons": " ".join(reason.code for reason in fit.reasons),
    }


def parameters(logs: Logs) -> pd.DataFrame:
    """One row for each curve: parameters of the one-break law, standard errors where the procedure gives any, RSLE.

    error_log_d1 is that of log d1, as published. Errors assume independent residuals, which those of loss curves are
    not: the intervals in `fits` do not.
    """
    rows = []
    for name, one in logs.named:
        fit, believed = one.fit, one.fit.verdict in BREAKS
        row: dict[str, Any] = {"run": name, "verdict": fit.verdict}
        row |= {symbol: getattr(fit.params, symbol) if believed else math.nan for symbol in PARAMETERS}
        errors = fit.errors if believed and fit.errors else {}
        row |= {f"error_{symbol}": errors.get(symbol, math.nan) for symbol in ("b", "c0", "c1", "log_d1", "f1")}
        rows.append(row | {"rsle": fit.rsle, "n_bins": fit.n_bins, "procedure": fit.procedure})
    return pd.DataFrame(rows)


def comparison(logs: Logs) -> pd.DataFrame:
    """One row for each term of each pair, nats, with its interval; the last row of a pair is the total."""
    columns = ["a", "b", "axis", "term", "nats", "low", "high", "level", "reason", "differ_from", "differ_reason"]
    return pd.DataFrame([row for one in logs.comparisons for row in _terms(one)], columns=columns)


def _terms(one: Comparison) -> list[dict[str, Any]]:
    head = {"a": one.a, "b": one.b, "axis": one.axis}
    tail = {"differ_from": one.differ_from, "differ_reason": one.differ_reason}
    rows = []
    for term in one.terms:
        low, high = term.interval or (math.nan, math.nan)
        said = {"term": term.name, "nats": term.nats, "low": low, "high": high, "level": one.level}
        rows.append(head | said | {"reason": term.reason} | tail)
    reached = "the difference of two reached losses, which has no interval here"
    total = {"term": "total", "nats": one.total, "low": math.nan, "high": math.nan, "level": one.level}
    return [*rows, head | total | {"reason": one.reason or reached} | tail]
