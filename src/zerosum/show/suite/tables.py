"""The tables of a suite's page."""

import math

from zerosum.interference import Interference
from zerosum.show import numbers as n
from zerosum.show.suite.figures.interference_steps import CHANGES, changed
from zerosum.show.suite.stories import label
from zerosum.show.suite.summary import AcrossSeeds, CutoffFit, Estimate, RunSummary, SuiteSummary
from zerosum.show.suite.zero_sum import ends_of
from zerosum.show.tables import Cell, Table, fitted, measured
from zerosum.show.words import BREAKS, VERDICTS


def _estimate(found: Estimate, form: n.Form) -> Cell:
    note = f"N = {n.count(found.N)} {found.N_of}" + ("" if found.interval else f"; no interval: {found.reason}")
    return measured(found.value, found.interval, form, note)


def _interfering(found: Interference, name: str, form: n.Form) -> Cell:
    ends = getattr(found.interval, name) if found.interval else None
    why = found.reasons.get(name) or found.interval_reason
    return measured(getattr(found, name), ends, form, "" if ends else f"no interval: {why}")


def sizes(summary: SuiteSummary) -> Table:
    """Every run with what the page is about."""
    columns = (
        ("Run", ""),
        ("Parameters", ""),
        ("Verdict", ""),
        ("t_d", "steps"),
        ("L_d", "nats per token"),
        ("r_d", "log-log slope"),
        ("L_T", "training loss at the end, nats; L_T_hat: predicted"),
        ("Held-out loss", "nats per token"),
        ("D, first doubling", ""),
        ("D, last doubling", ""),
        ("Harmful share, last", ""),
    )
    return Table("Every run", columns, tuple(_size(run, summary) for run in summary.runs))


def _size(run: RunSummary, summary: SuiteSummary) -> tuple[Cell, ...]:
    fit = run.fit
    points = f"{n.count(fit.n_points)} losses in {n.count(fit.n_bins)} bins"
    reached, predicted = (n.text(value, None, n.LOSS, unit=False) for value in (fit.L_T, fit.L_T_hat))
    believed = fit.verdict in BREAKS
    why = "; ".join(reason.message for reason in fit.reasons)
    row = [
        Cell(label(run, summary)),
        Cell(n.count(run.n_params), note=f"seed {run.seed}"),
        Cell(VERDICTS.get(fit.verdict, fit.verdict), note=why or points),
        fitted(fit, n.T_D),
        fitted(fit, n.L_D),
        fitted(fit, n.R_D),
        Cell(reached, f"L_T_hat {predicted if believed else '—'}", "no intervals"),
        _estimate(run.final_loss, n.LOSS),
    ]
    if not run.double:
        return (*row, *[Cell("—", note="not measured")] * 3)
    for pair, name, form in zip(
        (*ends_of(run), ends_of(run)[1]), ("D", "D", "harmful_share"), (n.D, n.D, n.SHARE), strict=True
    ):
        cell = _interfering(pair.interference, name, form)
        steps = f"{n.count(pair.from_step)} → {n.count(pair.to_step)}, N = {n.count(pair.interference.N)}"
        row.append(Cell(cell.main, cell.below, f"{steps}; {cell.note}" if cell.note else steps))
    return tuple(row)


def seeds(sizes: tuple[AcrossSeeds, ...]) -> Table:
    """Means over seeds; D over the last doubling."""
    columns = (
        ("Size", ""),
        ("Seeds", ""),
        ("t_d", "steps"),
        ("L_d", "nats per token"),
        ("r_d", "log-log slope"),
        ("Held-out loss", "nats per token"),
        ("D, first doubling", ""),
        ("D, last doubling", ""),
    )
    rows = []
    for size in sizes:
        cells = [Cell(size.name, note=f"{n.count(size.n_params)} parameters"), Cell(", ".join(map(str, size.seeds)))]
        cells += [_estimate(getattr(size, form.symbol), form) for form in (n.T_D, n.L_D, n.R_D, n.LOSS)]
        cells += [_estimate(pair.D, n.D) for pair in (size.D[:1] + size.D[-1:])] or [Cell("—", note="not measured")] * 2
        rows.append(tuple(cells))
    return Table("Means over seeds with 95 % t-intervals", columns, tuple(rows))


def cutoffs(summary: SuiteSummary) -> Table:
    """How the three numbers move with the cut-off, and whether each of these fits would be believed."""
    columns = (
        ("Run", ""),
        ("Cut-off", "steps left out"),
        ("t_d", "steps"),
        ("L_d", "nats per token"),
        ("r_d", "log-log slope"),
        ("RSLE", "misfit of log loss"),
        ("N", "losses fitted"),
        ("Verdict", ""),
    )
    rows = tuple(
        _cutoff(label(run, summary), row, used=row.cutoff == run.fit.cutoff)
        for run in summary.runs
        for row in run.cutoffs
    )
    return Table("How the break moves with the cut-off (values of the fit, without intervals)", columns, rows)


def _cutoff(name: str, row: CutoffFit, used: bool) -> tuple[Cell, ...]:
    return (
        Cell(name),
        Cell(n.count(row.cutoff), note="used in this report" if used else ""),
        Cell(n.number(row.t_d, 0)),
        Cell(n.text(row.L_d, None, n.L_D, unit=False)),
        Cell(n.text(row.r_d, None, n.R_D, unit=False)),
        Cell(n.text(row.rsle, None, n.RSLE)),
        Cell(n.count(row.n_points)),
        Cell(VERDICTS.get(row.verdict, row.verdict), note=row.reason or ""),
    )


def changes(summary: SuiteSummary) -> Table:
    """Every measured loss change with N, nulls and intervals."""
    columns = (
        ("Run", ""),
        ("Change", ""),
        ("Steps", ""),
        ("N", "tokens"),
        ("D", ""),
        ("M", "nats per token"),
        ("delta_L", "nats per token"),
        ("Harmful share", ""),
        ("null", "D, a sign per token"),
        ("null_unit", "D, a sign per text"),
        ("excess", "D − null_unit"),
    )
    rows = [
        (
            Cell(label(run, summary)),
            Cell(change.words.split(",")[0], note=change.words.split(", ")[1]),
            Cell(f"{n.count(start)} → {n.count(end)}"),
            Cell(n.count(found.N)),
            *(_interfering(found, form.symbol, form) for form in (n.D, n.M, n.DELTA_L, n.SHARE)),
            *(_null(value) for value in (found.null, found.null_unit, found.excess)),
        )
        for run in summary.runs
        for change in CHANGES
        for start, end, found in changed(run, change)
    ]
    return Table("Every measured loss change", columns, tuple(rows))


def _null(value: float) -> Cell:
    return Cell(n.number(value, 3)) if math.isfinite(value) else Cell("—", note="every change is zero")
