"""The tables of the page on loss logs: numbers with their intervals, laws, forecasts, terms."""

import math

from zerosum.deceleration import Analysis, BacktestRow, Forecast, ModelRow
from zerosum.report import numbers as n
from zerosum.report.logs.subject import Logs
from zerosum.report.logs.words import METHODS, TERMS
from zerosum.report.tables import Cell, Table, fitted, measured
from zerosum.report.words import BREAKS, VERDICTS


def fits(logs: Logs) -> Table:
    """Every curve with the numbers of its break."""
    columns = (
        ("Curve", ""),
        ("Verdict", ""),
        ("t_d", "steps"),
        ("L_d", "nats per token"),
        ("r_d", "log-log slope"),
        ("L_T", "loss reached, nats; L_T_hat: the line at the same step"),
        ("RSLE", "misfit of log loss"),
        ("N", "losses fitted, in points"),
    )
    return Table("Every curve", columns, tuple(_fit(name, one) for name, one in logs.named))


def _fit(name: str, one: Analysis) -> tuple[Cell, ...]:
    fit = one.fit
    predicted = n.text(fit.L_T_hat, None, n.LOSS, unit=False) if fit.verdict in BREAKS else "—"
    return (
        Cell(name),
        Cell(VERDICTS[fit.verdict], note=", ".join(dict.fromkeys(reason.code for reason in fit.reasons))),
        *(fitted(fit, form) for form in (n.T_D, n.L_D, n.R_D)),
        Cell(n.text(fit.L_T, None, n.LOSS, unit=False), f"L_T_hat {predicted}", "no intervals"),
        Cell(n.text(fit.rsle, None, n.RSLE)),
        Cell(n.count(fit.n_points), f"{n.count(fit.n_bins)} points"),
    )


def laws(logs: Logs) -> Table | None:
    """How well each law predicts left-out stretches; None where no other law was fitted."""
    named = list(dict.fromkeys(row.name for one in logs.analyses for row in one.fit.models))
    if not named:
        return None
    columns = (("Curve", ""), *((name, "error where left out") for name in named))
    rows = []
    for name, one in logs.named:
        of = {row.name: row for row in one.fit.models}
        best = min((row.criterion for row in of.values() if math.isfinite(row.criterion)), default=math.nan)
        rows.append((Cell(name), *(_law(of.get(law), best) for law in named)))
    return Table(
        "Other laws: root mean squared error of log loss on stretches left out of the fit", columns, tuple(rows)
    )


def _law(row: ModelRow | None, best: float) -> Cell:
    if row is None or not math.isfinite(row.criterion):
        return Cell("—", note="too few points")
    error = n.number(row.criterion, n.decimals(row.criterion, None, n.TERM))
    rsle = n.number(row.rsle, n.decimals(row.rsle, None, n.TERM))
    fitted_with = f"{row.n_params} parameters, RSLE {rsle}"
    return Cell(error, "the smallest" if row.criterion == best else "", fitted_with)


def forecasts(logs: Logs) -> Table | None:
    """Each method at each horizon, beside what it would have said earlier; None without forecasts."""
    fractions = sorted({row.fraction for one in logs.analyses for row in one.backtest})
    tested = (*((f"from {n.percent(at)} of the run", "error at its end") for at in fractions),)
    columns = (("Curve", ""), ("Step", ""), ("Method", ""), ("Loss", "nats per token"), *tested)
    rows = []
    for name, one in logs.named:
        for said in one.forecasts:
            past = {row.fraction: row for row in one.backtest if row.forecast.method == said.method}
            cells = [Cell(name), Cell(n.count(said.T)), Cell(METHODS[said.method]), _forecast(said)]
            rows.append((*cells, *(_tested(past.get(at)) for at in fractions)))
    return Table("Forecasts, and how the same methods did on the curve itself", columns, tuple(rows)) if rows else None


def _forecast(said: Forecast) -> Cell:
    return measured(said.loss, said.interval, n.LOSS, said.reason)


def _tested(row: BacktestRow | None) -> Cell:
    if row is None or not math.isfinite(row.error):
        return Cell("—", note=row.forecast.reason if row else "not tested")
    held = {True: "interval held", False: "interval missed", None: "no interval"}[row.held]
    return Cell(n.percent(row.error), note=held)


def differences(logs: Logs) -> Table | None:
    """Every term of every pair; None where nothing was compared."""
    columns = (("Pair", ""), ("Term", ""), ("Part", "nats per token"), ("From where on they differ", ""))
    rows = []
    for one in logs.comparisons:
        pair, unit = f"{one.b} minus {one.a}", one.axis.removesuffix("s")
        for term in one.terms:
            why = "" if term.interval else f"no interval: {term.reason}"
            rows.append((Cell(pair), Cell(TERMS[term.name]), measured(term.nats, term.interval, n.TERM, why), Cell("")))
        where = f"{unit} {n.count(round(one.differ_from))}" if one.differ_from is not None else "—"
        total = measured(one.total, None, n.TERM, one.reason or "reached losses; no interval")
        rows.append((Cell(pair), Cell("the whole difference"), total, Cell(where, note=one.differ_reason)))
    return Table("How differences in loss split", columns, tuple(rows)) if rows else None
