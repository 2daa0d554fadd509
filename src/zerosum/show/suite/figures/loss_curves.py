"""Training loss against step on logarithmic axes, with the fit, its two straight segments and the break."""

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.show.drawing.axes import log_axis, panels
from zerosum.show.drawing.fit_on_curve import fit_handles, fit_on_curve, law_line, verdict_inset
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.style import MUTED, Layout, RunStyle, run_styles, style
from zerosum.show.names import printable
from zerosum.show.suite.stories import label
from zerosum.show.suite.summary import RunSummary, SuiteSummary
from zerosum.show.words import BREAKS, deceleration

TITLE = "Loss over training"
HOW_TO_READ = (
    "Both axes are logarithmic, so that a constant rate of improvement is a straight line. Dots are the training "
    "loss of single steps, the dark line is the fit, and the shaded steps are those it was fitted to. The dashed "
    "and the dotted line are its two straight segments. The diamond marks where they cross: this is t_d and L_d, "
    "its arms are their intervals. The curve itself turns smoothly and passes the same step somewhat higher, at "
    "the circle. r_d is how steep the line is after the break: larger is better."
)


def plot(summary: SuiteSummary, layout: Layout = "wide") -> Figure:
    """One panel per size; the other sizes stay in the background for comparison."""
    with style():
        styles = dict(zip(map(id, summary.runs), run_styles([run.name for run in summary.runs]), strict=True))
        sizes: dict[str, list[RunSummary]] = {}
        for run in summary.runs:
            sizes.setdefault(run.name, []).append(run)
        fig, axes = panels(len(sizes), layout, height=3.5, share=True)
        for ax, runs in zip(axes, sizes.values(), strict=True):
            for other in sizes.values():
                if other is not runs:
                    law_line(ax, other[0].fit, MUTED, 0.9, 0.35)
            for run in runs[1:]:
                law_line(ax, run.fit, styles[id(run)].colour, 1.0, 0.5)
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


def _panel(ax: Axes, run: RunSummary, look: RunStyle) -> None:
    fit_on_curve(ax, run.curve, run.fit, look.colour)
    ax.set_title(f"{printable(run.name, 24)} · {run.n_params:,} parameters")
    verdict_inset(ax, run.fit, "; ".join(reason.message for reason in run.fit.reasons))


def _scales(axes: list[Axes], summary: SuiteSummary) -> None:
    steps = [float(step) for run in summary.runs for step in run.curve.step[run.curve.step > 0]]
    losses = [float(loss) for run in summary.runs for loss in run.curve.loss]
    crossings = [run.fit.L_d for run in summary.runs if run.fit.verdict in BREAKS]
    log_axis(axes[0], "x", steps, pad=1.3)
    low = min([*losses, *crossings])
    high = max(losses)
    room = (high / low) ** 0.12  # below the curves, for the numbers of the break
    log_axis(axes[0], "y", [low / room, high], pad=1.04)


def _legend(summary: SuiteSummary, sizes: int) -> list[Artist]:
    """Only what is drawn."""
    handles = fit_handles(any(run.fit.verdict in BREAKS for run in summary.runs))
    if sizes > 1:
        handles.append(entry("fits of the other sizes", color=MUTED, linewidth=0.9, alpha=0.5))
    if len(summary.runs) > sizes:
        handles.append(entry("fits of the other seeds", linewidth=1, alpha=0.5))
    return handles


def alt(summary: SuiteSummary) -> str:
    """What the figure shows, for who cannot see it."""
    runs = " ".join(f"{printable(label(run, summary))}: {deceleration(run.fit)}" for run in summary.runs)
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
