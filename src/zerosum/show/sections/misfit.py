"""Misfit: how far the losses of each curve lie from the one-break law and from the best other law."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.deceleration import Analysis, Fit, ModelRow
from zerosum.deceleration.binning import bin_index, bin_means, bin_starts
from zerosum.deceleration.models import MODELS, ONE_BREAK
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections._single_run import is_on_page_of_fits
from zerosum.show.table import Column, Table

TITLE = "What the laws leave"
PLACE = 14
HOW_TO_READ = (
    "How far the loss lies above or below the law, in percent, averaged over log bins (40 for each factor of ten in "
    "steps), inside the fitted range. Points: the one-break law. Line: the other law that predicts left-out stretches "
    "best, named in the panel. Noise would scatter around 0; waves are misfit, a shape that the law does not have. "
    "This is why intervals allow for smooth misfit beside noise. Where the line hugs 0 much more closely than the "
    "points, the other law describes the curve better."
)
FORMULAS = {
    "Error where left out": "Each law is fitted without one stretch after the other and asked for it: root mean "
    "squared error of the log loss there. More parameters do not win by themselves; smaller is better, and differences "
    "under a quarter are not worth much.",
}
COLUMNS = (
    Column("run", on=("page", "terminal")),
    Column("law", on=("page", "terminal")),
    Column("parameters", on=("page", "terminal")),
    Column("RSLE", unit="misfit", form=n.CRITERION, on=("page", "terminal")),
    Column("error", unit="where left out", form=n.CRITERION, on=("page", "terminal")),
)


@dataclass(frozen=True)
class Residuals:
    """Log bins of one fitted range. step: mean position. one_break, other: loss over law, minus 1. law: the other's."""

    step: Float[np.ndarray, " b"]
    one_break: Float[np.ndarray, " b"]
    other: Float[np.ndarray, " b"]
    law: str


def absent(report: Report) -> str | None:
    return None if report.each(Analysis) and not is_on_page_of_fits(report) else ""


def tables(report: Report) -> Iterator[Table]:
    rows = [
        (label, law.name, law.n_params, law.rsle, law.criterion)
        for label, analysis in report.each(Analysis)
        for law in sorted(analysis.fit.models, key=_by_criterion)
    ]
    if rows:
        legend = "The best law of each curve comes first. A dash: too few points for this many parameters."
        yield Table("", "Other laws, by their error on stretches left out of the fit", COLUMNS, tuple(rows), legend)


def _by_criterion(law: ModelRow) -> float:
    return law.criterion if math.isfinite(law.criterion) else math.inf


def residuals(fit: Fit) -> Residuals | None:
    """What the laws leave of one curve; None where nothing was fitted."""
    curve = fit.curve
    rows = (curve.step >= fit.first_step) & (curve.step <= fit.last_step) & (curve.step > 0)
    if not rows.any() or not np.isfinite(fit.params.log_loss(curve.step[rows])).all():
        return None
    x, y = np.log(curve.step[rows]), np.log(curve.loss[rows])
    starts = bin_starts(bin_index(x))
    middle = bin_means(x, starts)
    best = best_other_law(fit)
    other = np.full(len(middle), np.nan)
    if best is not None:
        law = next(law for law in MODELS if law.name == best.name)
        theta = np.array([best.params[name] for name in law.parameters])
        other = np.expm1(bin_means(y - law.log_loss(theta, x), starts))
    one_break = np.expm1(bin_means(y - fit.params.log_loss(np.exp(x)), starts))
    return Residuals(np.exp(middle), one_break, other, best.name if best else "")


def best_other_law(fit: Fit) -> ModelRow | None:
    """The law beside the one break with the smallest error on left-out stretches."""
    others = [law for law in fit.models if law.name != ONE_BREAK and np.isfinite(law.criterion)]
    return min(others, key=lambda law: law.criterion, default=None)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each curve."""
    with d.style():
        drawn = list(_drawn(report))
        looks = d.looks_of(report)
        fig, axes = d.multiples(len(report.each(Analysis)), layout, height=2.0, share=False)
        for ax, (label, left), head in zip(axes, drawn, d.titles([name for name, _ in drawn], layout), strict=True):
            ax.set_title(head)
            if left is None:
                d.say_empty(ax, "nothing was fitted")
                continue
            _panel(ax, left, looks[label].colour, d.ticks(len(drawn)))
        d.name_axes(axes, layout, "step t", "loss over law, %")
        points = d.entry("the one-break law", marker=".", linestyle="")
        d.legend_below(fig, [points, d.entry("the best other law, named in the panel", linewidth=1.2)], layout)
    return fig


def _drawn(report: Report) -> Iterator[tuple[str, Residuals | None]]:
    for label, analysis in d.shown(report.each(Analysis)):
        yield label, residuals(analysis.fit)


def _panel(ax: "d.Axes", left: Residuals, colour: str, most: int) -> None:
    ax.axhline(0, color=d.MUTED, linewidth=0.8, zorder=1)
    ax.plot(left.step, 100 * left.one_break, ".", color=colour, markersize=3.5, zorder=3)
    if left.law:
        ax.plot(left.step, 100 * left.other, color=d.INK, linewidth=1, alpha=0.8, zorder=2)
        ax.text(0.98, 0.96, left.law, transform=ax.transAxes, ha="right", va="top", fontsize=7.5, color=d.INK)
    d.log_axis(ax, "x", left.step.tolist(), pad=1.15, most=most)
    ax.margins(y=0.22)


def alt(report: Report) -> str:
    """Alt text."""
    parts = [
        f"{printable(label)}: at most {n.percent(float(np.abs(left.one_break).max()))} off the one-break law"
        + (f", {n.percent(float(np.abs(left.other).max()))} off {left.law}" if left.law else "")
        for label, left in _drawn(report)
        if left is not None
    ]
    return f"Relative misfit of the one-break law and of the best other law against step. {'; '.join(parts)}."


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each curve and log bin: what the two laws leave, as a share of the loss."""
    return [
        {"run": label, "step": step, "left_by_one_break": own, "other_law": left.law, "left_by_other_law": other}
        for label, left in _drawn(report)
        if left is not None
        for step, own, other in zip(left.step.tolist(), left.one_break.tolist(), left.other.tolist(), strict=True)
    ]
