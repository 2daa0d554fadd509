"""Loss curves on logarithmic axes with their fits: both straight segments, the break and its intervals."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from zerosum.deceleration import Analysis, Fit
from zerosum.show import drawing as d
from zerosum.show import words
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.tokens.ngrams import NgramLadder

TITLE = "Loss curves and their fits"
PLACE = 10
POINTS = 260  # losses drawn of each curve; half of them in small panels
FEW = 9  # curves, up to which each has sentences of its own
HOW_TO_READ = (
    "Both axes are logarithmic, so that a constant rate of improvement is a straight line. Dots are logged losses, "
    f"thinned evenly on the logarithmic axis to at most {POINTS} for each curve; every row took part in the fit. The "
    "dark line is the fit, the shaded steps are those it was fitted to. The dashed and the dotted line are its two "
    "straight segments. The diamond marks where they cross: this is t_d and L_d, its arms are their intervals. The "
    "curve itself turns smoothly and passes the same step somewhat higher, at the circle. r_d is how steep the line is "
    "after the break: larger is better. A thin dotted horizontal line is the loss of an n-gram model of the "
    "training text on held-out text: where a curve breaks on such a line, the model may have learned these n-grams and "
    "nothing longer. A curve without a break that may be believed shows its fit and no marks. Runs of one size that "
    "differ in their seed share a panel: the first in full, the others as their fits."
)
Labelled = tuple[str, Fit]


def absent(report: Report) -> str | None:
    return None if report.each(Analysis) else ""


def headline(report: Report) -> str:
    fits = _fits(report)
    return words.break_in_short(fits[0][1]) if len(fits) == 1 else words.verdicts_counted([fit for _, fit in fits])


def sentences(report: Report) -> Iterator[str]:
    fits = _fits(report)
    if len(fits) == 1:
        yield words.the_break(fits[0][1])
    elif len(fits) <= FEW:
        for label, fit in fits:
            sentence = words.break_in_short(fit) if fit.verdict == "cannot-tell" else words.the_break(fit)
            yield f"{printable(label)}: {sentence}"


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each curve, on shared axes; fits of the other curves stay in the background for comparison."""
    with d.style():
        panels = _panels(report)
        looks = d.looks_of(report)
        ladders = {label: ladder.by_model for label, ladder in report.each(NgramLadder)}
        shown = d.shown(list(panels.items()))
        few = len(shown) <= d.FEW_PANELS
        fig, axes = d.multiples(len(panels), layout, height=3.4, share=True)
        for ax, (name, fits), head in zip(axes, shown, d.titles([name for name, _ in shown], layout), strict=True):
            for _, (_, other) in ((other, rest[0]) for other, rest in shown if few and other != name):
                d.law_line(ax, other, d.MUTED, 0.8, 0.3)
            for label, fit in fits[1:]:
                d.law_line(ax, fit, looks[label].colour, 1.0, 0.5)
            label, fit = fits[0]
            d.fit_on_curve(ax, fit.curve, fit, looks[label].colour, _points(report))
            ax.set_title(head)
            if few or layout == "narrow":
                d.verdict_inset(ax, fit, "; ".join(reason.code for reason in fit.reasons))
        _scales(axes[0], [fit for _, fits in shown for _, fit in fits], len(shown))
        rungs = [d.rung_lines(ax, ladders.get(fits[0][0], {})) for ax, (_, fits) in zip(axes, shown, strict=True)]
        d.name_axes(axes, layout, "step t", "loss (nats per token)")
        handles = d.fit_handles(any(fits[0][1].has_break for _, fits in shown))
        if 1 < len(shown) <= d.FEW_PANELS:
            handles.append(d.entry("fits of the other curves", color=d.MUTED, linewidth=0.8, alpha=0.5))
        if any(len(fits) > 1 for _, fits in shown):
            handles.append(d.entry("fits of the other seeds", linewidth=1, alpha=0.5))
        d.legend_below(fig, [*handles, *max(rungs, key=len)], layout)
    return fig


def _fits(report: Report) -> list[Labelled]:
    return [(label, analysis.fit) for label, analysis in report.each(Analysis)]


def _panels(report: Report) -> dict[str, list[Labelled]]:
    """The fits of each panel: of one curve, or of all seeds of one size."""
    size = dict(zip(report.labels, report.sizes, strict=True))
    panels: dict[str, list[Labelled]] = {}
    for label, fit in _fits(report):
        panels.setdefault(size[label], []).append((label, fit))
    return panels


def _points(report: Report) -> int:
    return POINTS if len(report.each(Analysis)) <= FEW else POINTS // 2


def _scales(ax: "d.Axes", fits: list[Fit], panels: int) -> None:
    drawn = [(fit, d.drawn_rows(fit.curve, POINTS)) for fit in fits]
    steps = [float(step) for fit, rows in drawn for step in fit.curve.step[rows]]
    losses = [float(loss) for fit, rows in drawn for loss in fit.curve.loss[rows]]
    if not steps:
        return
    crossings = [fit.L_d for fit in fits if fit.has_break]
    d.log_axis(ax, "x", steps, pad=1.3, most=d.ticks(panels))
    low, high = min([*losses, *crossings]), max(losses)
    room = (high / low) ** (0.14 if panels <= d.FEW_PANELS else 0.03)  # below the curves, for the numbers of the break
    d.log_axis(ax, "y", [low / room, high], pad=1.04)


def alt(report: Report) -> str:
    """Alt text."""
    curves = " ".join(f"{printable(label)}: {words.the_break(fit)}" for label, fit in d.shown(_fits(report)))
    lines = " Dotted lines: losses of n-gram models of the text." if report.each(NgramLadder) else ""
    return f"Loss against step, both logarithmic, one panel for each curve.{lines} {curves}"


def numbers(report: Report) -> list[dict[str, Any]]:
    """The rows that are drawn, with the fit's value and both segments at each; numbers of the break are in fits.csv."""
    fits = [labelled for _, panel in d.shown(list(_panels(report).items())) for labelled in panel]
    return [row for label, fit in fits for row in _rows(label, fit, _points(report))]


def _rows(label: str, fit: Fit, points: int) -> Iterator[dict[str, Any]]:
    rows = d.drawn_rows(fit.curve, points)
    step = fit.curve.step[rows]
    with np.errstate(over="ignore", under="ignore"):
        before = fit.params.b * step**-fit.params.c0 if fit.has_break else np.full(len(step), np.nan)
        after = fit.L_d * (step / fit.t_d) ** -fit.r_d if fit.has_break else np.full(len(step), np.nan)
    inside = (step >= fit.first_step) & (step <= fit.last_step)
    columns = (step, fit.curve.loss[rows], fit.predict(step), before, after, inside)
    names = ("step", "loss", "fit", "segment_before", "segment_after", "in_fitted_range")
    for values in zip(*(column.tolist() for column in columns), strict=True):
        yield {"run": label, **dict(zip(names, values, strict=True))}
