"""What the laws leave: how far the losses of each curve lie from the one-break law and from the best other law."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.deceleration import Fit, ModelRow
from zerosum.deceleration.binning import bin_index, bin_means, bin_starts
from zerosum.deceleration.models import MODELS
from zerosum.show.drawing.axes import log_axis, say_empty
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.multiples import multiples, name_axes, shown, ticks, titles
from zerosum.show.drawing.style import INK, MUTED, Layout, run_styles, style
from zerosum.show.logs.subject import Logs
from zerosum.show.names import printable
from zerosum.show.numbers import percent

TITLE = "What the laws leave"
HOW_TO_READ = (
    "How far the loss lies above or below the law, in percent, averaged over log bins (40 for each factor of ten in "
    "steps), inside the fitted range. Points: the one-break law. Line: the other law that predicts left-out stretches "
    "best, named in the panel. Noise would scatter around 0; waves are misfit, a shape that the law does not have. "
    "This is why intervals come from leaving whole stretches out. Where the line hugs 0 much more closely than the "
    "points, the other law describes the curve better."
)


@dataclass(frozen=True)
class Left:
    """Log bins of one fitted range. step: mean position. one_break, other: loss over law, minus 1."""

    step: Float[np.ndarray, " b"]
    one_break: Float[np.ndarray, " b"]
    other: Float[np.ndarray, " b"]
    law: str


def left(fit: Fit) -> Left | None:
    """What the laws leave of one curve; None where nothing was fitted."""
    curve = fit.curve
    rows = (curve.step >= fit.first_step) & (curve.step <= fit.last_step) & (curve.step > 0)
    if not rows.any() or not np.isfinite(fit.params.log_loss(curve.step[rows])).all():
        return None
    x, y = np.log(curve.step[rows]), np.log(curve.loss[rows])
    starts = bin_starts(bin_index(x))
    middle = bin_means(x, starts)
    best = rival(fit)
    other = np.full(len(middle), np.nan)
    if best is not None:
        law = next(law for law in MODELS if law.name == best.name)
        theta = np.array([best.params[name] for name in law.parameters])
        other = np.expm1(bin_means(y - law.log_loss(theta, x), starts))
    one_break = np.expm1(bin_means(y - fit.params.log_loss(np.exp(x)), starts))
    return Left(np.exp(middle), one_break, other, best.name if best else "")


def rival(fit: Fit) -> ModelRow | None:
    """The law beside the one break with the smallest error on left-out stretches."""
    others = [row for row in fit.models if row.name != "one break" and np.isfinite(row.criterion)]
    return min(others, key=lambda row: row.criterion, default=None)


def plot(logs: Logs, layout: Layout = "wide") -> Figure:
    """One panel for each curve."""
    with style():
        drawn = list(_drawn(logs))
        looks = dict(zip(logs.names, run_styles(logs.names), strict=True))
        fig, axes = multiples(len(logs.named), layout, height=2.0, share=False)
        for ax, (name, found), head in zip(axes, drawn, titles([name for name, _ in drawn], layout), strict=True):
            ax.set_title(head)
            if found is None:
                say_empty(ax, "nothing was fitted")
                continue
            _panel(ax, found, looks[name].colour, ticks(len(drawn)))
        name_axes(axes, layout, "step t", "loss over law, %")
        points = entry("the one-break law", marker=".", linestyle="")
        legend_below(fig, [points, entry("the best other law, named in the panel", linewidth=1.2)], layout)
    return fig


def _drawn(logs: Logs) -> Iterator[tuple[str, Left | None]]:
    for name, one in shown(logs.named):
        yield name, left(one.fit)


def _panel(ax: Axes, found: Left, colour: str, most: int) -> None:
    ax.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    ax.plot(found.step, 100 * found.one_break, ".", color=colour, markersize=3.5, zorder=3)
    if found.law:
        ax.plot(found.step, 100 * found.other, color=INK, linewidth=1, alpha=0.8, zorder=2)
        ax.text(0.98, 0.96, found.law, transform=ax.transAxes, ha="right", va="top", fontsize=7.5, color=INK)
    log_axis(ax, "x", found.step.tolist(), pad=1.15, most=most)
    ax.margins(y=0.22)


def alt(logs: Logs) -> str:
    """What the figure shows, for who cannot see it."""
    parts = [
        f"{printable(name)}: at most {percent(float(np.abs(found.one_break).max()))} off the one-break law"
        + (f", {percent(float(np.abs(found.other).max()))} off {found.law}" if found.law else "")
        for name, found in _drawn(logs)
        if found is not None
    ]
    return f"Relative misfit of the one-break law and of the best other law against step. {'; '.join(parts)}."


def table(logs: Logs) -> pd.DataFrame:
    """One row for each curve and log bin: what the two laws leave, as a share of the loss."""
    frames = [
        pd.DataFrame({
            "run": name, "step": found.step, "left_by_one_break": found.one_break,
            "other_law": found.law, "left_by_other_law": found.other,
        })
        for name, found in _drawn(logs) if found is not None
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
