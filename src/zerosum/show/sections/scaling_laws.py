"""Laws of the loss over sizes and tokens: parameters, whether they are identified, and the law on the losses."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from zerosum.scaling import HeldOut, LawFit
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.table import Column, Table, Text

TITLE = "Laws of the loss"
PLACE = 75
HOW_TO_READ = (
    "Dots: losses of the table, one colour and marker for each size; rings: the run that was held out, and "
    "predicted from the others. Lines: the law fitted to all. Dashed: the lowest loss by the law, at that size "
    "with endless training, or at that compute with the best size. Last panel: how far the losses lie from the "
    "law, in per cent; a trend there says that the law has another form than the data."
)
AXES = {
    "N": "parameters N",
    "D": "training tokens D",
    "S": "step S",
    "C": "training FLOPs C = 6 N D",
}
WRITTEN = {"N": n.params, "D": n.params}
DASHES = (0, (4, 2))
ENDLESS = 1e30  # tokens or steps


def absent(report: Report) -> str | None:
    return None if report.across(LawFit) else ""


def headline(report: Report) -> str:
    return " ".join(sentences(report))


def sentences(report: Report) -> Iterator[str]:
    """One for each law: the verdict with its reasons."""
    for fit in report.across(LawFit):
        about = f"{n.count(fit.n)} losses of {fit.n_runs} runs and {fit.n_sizes} sizes"
        verdict = "identified" if fit.verdict == "identified" else "not identified"
        why = "; ".join(printable(reason.message, 400) for reason in fit.reasons if reason.level == "blocking")
        yield (
            f"{fit.form}: {verdict} by {about}{f' ({why})' if why else ''}. {n.count(fit.starts.reached)} of "
            f"{n.count(fit.starts.n)} searches reached the minimum, {fit.objective} = {fit.value:.7g}."
        )


def answer(report: Report) -> Iterator[str]:
    """One line for each parameter."""
    fits = report.across(LawFit)
    width = max((len(fit.law) + 2 for fit in fits), default=0) if len(fits) > 1 else 0
    for fit in fits:
        for name, estimate in fit.params.items():
            shown = n.text(estimate.value, estimate.interval, n.Form(name, estimate.unit))
            yield f"{fit.law:<{width}}"[:width] + f"{name:<8} {shown}"


def tables(report: Report) -> Iterator[Table]:
    """One row for each parameter."""
    columns = (
        Column("law"),
        Column("parameter"),
        Column("value", interval=True),
        Column("unit"),
        Column("interval_from", "interval from"),
    )
    rows = tuple(
        (fit.law, name, estimate, estimate.unit, estimate.method)
        for fit in report.across(LawFit)
        for name, estimate in fit.params.items()
    )
    yield Table("scaling-laws", "Parameters of the laws", columns, rows, "Brackets: 95 % intervals.")
    notes = tuple(
        (fit.law, Text(reason.code), Text(printable(reason.message, 600)))
        for fit in report.across(LawFit)
        for reason in fit.reasons
    )
    if notes:
        yield Table("scaling-notes", "To keep in mind", (Column("law"), Column("code"), Column("note")), notes)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """For each law its losses against size, tokens (or steps) and FLOPs, and the residuals."""
    fits = report.across(LawFit)
    held_out = {held.law: held.runs for held in report.across(HeldOut)}
    with d.style():
        fig, axes = d.panels(4 * len(fits), layout, height=2.9, columns=2)
        for k, fit in enumerate(fits):
            ringed = np.isin(fit.table_fitted.run, held_out.get(fit.law, ()))
            for ax, of in zip(axes[4 * k :], ("N", fit.length, "C"), strict=False):
                _losses(ax, fit, of, ringed)
            _residuals(axes[4 * k + 3], fit, ringed)
        looks = {size: look for fit in fits for size, look in _looks(fit).items()}
        handles = [d.entry(f"N = {n.params(size)}", linestyle="", **look) for size, look in looks.items()]
        handles += [d.entry("held out", **_ring())] if held_out else []
        handles += [d.entry("lowest by the law (N: endless training; C: best size)", linestyle=DASHES, color=d.MUTED)]
        d.legend_below(fig, handles, layout)
    return fig


def _looks(fit: LawFit) -> dict[float, dict[str, Any]]:
    """Colour and marker of each size."""
    sizes = fit.table_fitted.sizes.tolist()
    return {
        size: {"color": d.SERIES[k % len(d.SERIES)], "marker": d.MARKERS[k % len(d.MARKERS)]}
        for k, size in enumerate(sizes)
    }


def _along(fit: LawFit, of: str) -> np.ndarray:
    """N, D, S or C of each loss."""
    table = fit.table_fitted
    every = {"N": table.N, "D": table.D, "S": table.step, "C": 6 * table.N * table.D}
    return np.asarray(every[of])


def _ring() -> dict[str, Any]:
    """Look of what was held out."""
    return {"linestyle": "", "marker": "o", "markersize": 8, "markerfacecolor": "none", "color": d.INK}


def _losses(ax: "d.Axes", fit: LawFit, of: str, ringed: np.ndarray) -> None:
    """Losses and the law against one variable. ringed: which of them were held out."""
    table, along = fit.table_fitted, _along(fit, of)
    for size, look in _looks(fit).items():
        rows = size == table.N
        ax.plot(along[rows], table.loss[rows], linestyle="", markersize=3.5, **look)
        if of != "N":
            order = along[rows].argsort()
            ax.plot(along[rows][order], fit.fitted()[rows][order], color=look["color"], linewidth=1)
    ax.plot(along[ringed], table.loss[ringed], **_ring())
    ax.plot(*_lowest(fit, of), color=d.MUTED, linewidth=1, linestyle=DASHES)
    d.log_axis(ax, "x", along.tolist(), pad=1.25, most=5, write=WRITTEN.get(of, d.plain))
    d.log_axis(ax, "y", table.loss.tolist(), pad=1.03, most=6)
    ax.set_title(fit.law)
    ax.set_xlabel(AXES[of])
    ax.set_ylabel("loss (nats per token)")


def _lowest(fit: LawFit, of: str) -> tuple[np.ndarray, np.ndarray]:
    """The lowest losses by the law: against N for endless training, against C for the best size; none for others."""
    along = _along(fit, of)
    grid = np.geomspace(along.min(), along.max(), 40)
    if of == "N":
        return grid, fit.losses(**{"N": grid, fit.length: np.full(40, ENDLESS)})
    if of == "C" and fit.length == "D":
        return grid, fit.frontier(grid)
    return grid[:0], grid[:0]


def _residuals(ax: "d.Axes", fit: LawFit, ringed: np.ndarray) -> None:
    table, along = fit.table_fitted, _along(fit, fit.length)
    off = 100 * (table.loss / fit.fitted() - 1)
    for size, look in _looks(fit).items():
        rows = size == table.N
        ax.plot(along[rows], off[rows], linestyle="", markersize=3.5, **look)
    ax.plot(along[ringed], off[ringed], **_ring())
    ax.axhline(0.0, color=d.MUTED, linewidth=1)
    d.log_axis(ax, "x", along.tolist(), pad=1.25, most=5, write=WRITTEN.get(fit.length, d.plain))
    ax.set_title("loss less the law")
    ax.set_xlabel(AXES[fit.length])
    ax.set_ylabel("% of the law's loss")


alt = with_sentences("Losses against size, tokens and compute, with the law, and their residuals.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each loss of the table."""
    return [
        {"law": fit.law, "run": run, "N": N, "D": D, "step": step, "loss": loss, "fitted": fitted}
        for fit in report.across(LawFit)
        for run, N, D, step, loss, fitted in zip(
            fit.table_fitted.run,
            *(column.tolist() for column in (fit.table_fitted.N, fit.table_fitted.D, fit.table_fitted.step)),
            fit.table_fitted.loss.tolist(),
            fit.fitted().tolist(),
            strict=True,
        )
    ]
