"""Training loss against step on logarithmic axes, with the fit, its two straight segments and the break."""

import textwrap

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from zerosum.deceleration import Fit
from zerosum.report.figures._axes import legend_below, log_axis, log_thinned, panels
from zerosum.report.figures._style import INK, MUTED, PAPER, RANGE, Layout, RunStyle, run_styles, style
from zerosum.report.names import printable
from zerosum.report.numbers import L_D, R_D, T_D, text
from zerosum.report.summary import RunSummary, SuiteSummary
from zerosum.report.words import deceleration, label

TITLE = "Loss over training"
HOW_TO_READ = (
    "Both axes are logarithmic, so that a constant rate of improvement is a straight line. Dots are the training "
    "loss of single steps, the dark line is the fit, and the shaded steps are those it was fitted to. The dashed "
    "and the dotted line are its two straight segments. The diamond marks where they cross: this is t_d and L_d, "
    "its arms are their intervals. The curve itself turns smoothly and passes the same step somewhat higher, at "
    "the circle. r_d is how steep the line is after the break: larger is better."
)

BREAKS = ("decelerates", "accelerates")
"""Verdicts of a fit whose break may be shown."""

BEFORE, AFTER = (0, (4, 2)), (0, (1, 1.4))


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """One panel per size; the other sizes stay in the background for comparison."""
    with style():
        styles = dict(zip(map(id, summary.runs), run_styles(summary.runs), strict=True))
        sizes: dict[str, list[RunSummary]] = {}
        for run in summary.runs:
            sizes.setdefault(run.name, []).append(run)
        fig, axes = panels(len(sizes), layout, height=3.5, share=True)
        for ax, runs in zip(axes, sizes.values(), strict=True):
            for other in sizes.values():
                if other is not runs:
                    _line(ax, other[0], MUTED, "-", 0.9, 0.35)
            for run in runs[1:]:
                _line(ax, run, styles[id(run)].colour, "-", 1.0, 0.5)
            _panel(ax, runs[0], styles[id(runs[0])])
        _scales(axes, summary)
        across = axes if layout == "narrow" else axes[-3:]
        for ax in across:
            ax.set_xlabel("optimizer step t")
            ax.tick_params(labelbottom=True)
        for ax in axes if layout == "narrow" else axes[::3]:
            ax.set_ylabel("training loss (nats per token)")
        legend_below(fig, _legend(summary, len(sizes)), layout)
    return fig


def _line(ax: Axes, run: RunSummary, colour: str, line: str, width: float, alpha: float) -> None:
    step = _steps(run.fit)
    ax.plot(step, run.fit.predict(step), color=colour, linestyle=line, linewidth=width, alpha=alpha, zorder=1.5)


def _steps(fit: Fit) -> Float[np.ndarray, " n"]:
    return np.geomspace(max(float(fit.first_step), 1.0), float(fit.last_step), 120)


def _panel(ax: Axes, run: RunSummary, look: RunStyle) -> None:
    fit, curve = run.fit, run.curve
    ax.axvspan(fit.first_step, fit.last_step, color=RANGE, zorder=0, linewidth=0)
    kept = log_thinned(len(curve))
    kept = kept[curve.step[kept] > 0]
    ax.plot(curve.step[kept], curve.loss[kept], ".", color=look.colour, markersize=2.6, alpha=0.45, zorder=2)
    _line(ax, run, INK, "-", 1.4, 1.0)
    if fit.verdict in BREAKS:
        _break(ax, fit, look)
    title = f"{printable(run.name, 24)} · {run.n_params:,} parameters"
    ax.set_title(title)
    ax.text(0.04, 0.04, _inset(fit), transform=ax.transAxes, va="bottom", fontsize=8.5, linespacing=1.45, zorder=6)


def _break(ax: Axes, fit: Fit, look: RunStyle) -> None:
    """Both straight segments, the crossing with its intervals, and the curve's own value at the same step."""
    before = np.array([float(fit.first_step), fit.t_d * 2.5])
    after = np.array([fit.t_d / 2.5, float(fit.last_step)])
    ax.plot(before, fit.params.b * before**-fit.params.c0, color=look.colour, linestyle=BEFORE, linewidth=1.3, zorder=3)
    ax.plot(after, fit.L_d * (after / fit.t_d) ** -fit.r_d, color=look.colour, linestyle=AFTER, linewidth=1.8, zorder=3)
    for name, draw in (("t_d", ax.hlines), ("L_d", ax.vlines)):
        ends = fit.intervals.get(name)
        if ends is not None:
            draw(fit.L_d if name == "t_d" else fit.t_d, *ends, color=look.colour, linewidth=1.2, zorder=4)
    ax.plot(fit.t_d, float(fit.predict(fit.t_d)), "o", color=PAPER, markersize=6, markeredgecolor=INK, zorder=5)
    ax.plot(fit.t_d, fit.L_d, "D", color=look.colour, markersize=5.5, markeredgecolor=PAPER, zorder=5.5)


def _inset(fit: Fit) -> str:
    if fit.verdict == "cannot-tell":
        why = "; ".join(reason.message for reason in fit.reasons)
        return textwrap.fill(f"cannot tell: {why}", 36, max_lines=5, placeholder=" …")
    if fit.verdict == "no-break":
        return "no break in the fitted range"
    return "\n".join(
        f"{form.symbol} = {text(getattr(fit, form.symbol), fit.intervals.get(form.symbol), form, unit=False)} {unit}"
        for form, unit in ((L_D, "nats"), (T_D, "steps"), (R_D, ""))
    )


def _scales(axes: list[Axes], summary: SuiteSummary) -> None:
    steps = [float(step) for run in summary.runs for step in run.curve.step[run.curve.step > 0]]
    losses = [float(loss) for run in summary.runs for loss in run.curve.loss]
    crossings = [run.fit.L_d for run in summary.runs if run.fit.verdict in BREAKS]
    log_axis(axes[0], "x", steps, pad=1.3)
    low = min([*losses, *crossings])
    high = max(losses)
    room = (high / low) ** 0.12  # below the curves, for the numbers of the break
    log_axis(axes[0], "y", [low / room, high], pad=1.04)


def _legend(summary: SuiteSummary, sizes: int) -> list[Line2D | Patch]:
    """Only what is drawn."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=INK, marker=".", linestyle="", markersize=4, alpha=0.6, label="loss of a step (thinned)"),
        Line2D([], [], color=INK, linewidth=1.4, label="fit"),
        Patch(facecolor=RANGE, edgecolor=MUTED, linewidth=0.4, label="fitted range"),
    ]
    if any(run.fit.verdict in BREAKS for run in summary.runs):
        handles += [
            Line2D([], [], color=INK, linestyle=BEFORE, linewidth=1.3, label="straight segment before the break"),
            Line2D([], [], color=INK, linestyle=AFTER, linewidth=1.8, label="straight segment after the break"),
            Line2D([], [], color=INK, marker="D", markersize=6, label="t_d, L_d: segments cross (95 % interval)"),
            Line2D(
                [], [], color=INK, marker="o", markerfacecolor="none", linestyle="", label="the curve's value at t_d"
            ),
        ]
    if sizes > 1:
        handles.append(Line2D([], [], color=MUTED, linewidth=0.9, alpha=0.5, label="fits of the other sizes"))
    if len(summary.runs) > sizes:
        handles.append(Line2D([], [], color=INK, linewidth=1, alpha=0.5, label="fits of the other seeds"))
    return handles


def alt(summary: SuiteSummary) -> str:
    """What the figure shows, for who cannot see it."""
    runs = " ".join(f"{printable(label(run, summary))}: {deceleration(run)}" for run in summary.runs)
    return f"Training loss against optimizer step, both logarithmic, one panel for each size. {runs}"


def table(summary: SuiteSummary) -> pd.DataFrame:
    """Every step of every curve that the fit saw or skipped, with the fit's value and whether it was in the range."""
    parts = []
    for run in summary.runs:
        step = run.curve.step
        positive = np.where(step > 0, step, np.nan)
        with np.errstate(invalid="ignore"):
            before = run.fit.params.b * positive**-run.fit.params.c0
            after = run.fit.L_d * (positive / run.fit.t_d) ** -run.fit.r_d
        parts.append(
            pd.DataFrame(
                {
                    "run": run.name,
                    "seed": run.seed,
                    "step": step,
                    "loss": run.curve.loss,
                    "fit": run.fit.predict(positive),
                    "segment_before": before,
                    "segment_after": after,
                    "in_fitted_range": (step >= run.fit.first_step) & (step <= run.fit.last_step),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
