"""The tables of the page on loss logs: numbers with their intervals, laws, forecasts, terms."""

import math
from collections.abc import Iterator

from zerosum.deceleration import Analysis, BacktestRow, Comparison, Forecast, ModelRow
from zerosum.show import numbers as n
from zerosum.show.logs import terms
from zerosum.show.logs.subject import Logs
from zerosum.show.logs.words import METHODS, TERMS
from zerosum.show.names import printable
from zerosum.show.tables import Cell, Table, fitted, measured
from zerosum.show.words import BREAKS, VERDICTS

_ERROR = n.Form("criterion", "", digits=2, most=4)


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
    error = n.number(row.criterion, n.decimals(row.criterion, None, _ERROR))
    rsle = n.number(row.rsle, n.decimals(row.rsle, None, _ERROR))
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


def differences(logs: Logs) -> list[Table]:
    """The terms of each pair, the largest first, and their sum. A table for each: names would take a column."""
    columns = (("Term", ""), ("Part", "nats per token"), ("Interval", ""))
    return [
        Table(f"{printable(one.b)} minus {printable(one.a)}", columns, tuple(_terms(one))) for one in logs.comparisons
    ]


def _terms(one: Comparison) -> Iterator[tuple[Cell, ...]]:
    for term in terms.by_size(one.terms):
        interval = Cell(terms.ends(term)) if term.interval else Cell("—", note=f"no interval: {term.reason}")
        exact = "exactly: both were fitted up to the same step" if terms.exactly_zero(term) else ""
        shown = Cell("—", note=exact) if exact else interval
        yield Cell(TERMS[term.name]), Cell(terms.signed(term.nats)), shown
    why = one.reason or "the two losses reached, one run each"
    yield Cell("the whole difference"), Cell(terms.signed(one.total)), Cell("—", note=why)
