"""One loss curve with its fit: losses, law, fitted range, both straight segments, the break and its intervals."""

import textwrap

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from zerosum.curves import LossCurve
from zerosum.deceleration import Fit
from zerosum.show.drawing.axes import log_thinned
from zerosum.show.drawing.legend import entry
from zerosum.show.drawing.style import INK, MUTED, PAPER, RANGE
from zerosum.show.numbers import L_D, R_D, T_D, text

POINTS = 260
BEFORE, AFTER = (0, (4, 2)), (0, (1, 1.4))


def fit_on_curve(ax: Axes, curve: LossCurve, fit: Fit, colour: str, points: int = POINTS) -> None:
    """Draw all of it into one panel. Losses are thinned evenly on the logarithmic axis; the caller sets the scales."""
    if fit.n_bins:
        ax.axvspan(fit.first_step, fit.last_step, color=RANGE, zorder=0, linewidth=0)
    rows = drawn_rows(curve, points)
    ax.plot(curve.step[rows], curve.loss[rows], ".", color=colour, markersize=2.6, alpha=0.45, zorder=2)
    law_line(ax, fit, INK, 1.4)
    if fit.has_break:
        _break(ax, fit, colour)


def drawn_rows(curve: LossCurve, points: int = POINTS) -> np.ndarray:
    """Which rows of a curve are drawn: those above step 0, at most so many."""
    thinned = log_thinned(len(curve), points)
    rows: np.ndarray = thinned[curve.step[thinned] > 0]
    return rows


def law_line(ax: Axes, fit: Fit, colour: str, width: float, alpha: float = 1.0) -> None:
    """The fitted law over its range."""
    if not np.isfinite(fit.t_d):  # nothing was fitted
        return
    step = _steps(fit)
    ax.plot(step, fit.predict(step), color=colour, linestyle="-", linewidth=width, alpha=alpha, zorder=1.5)


def _steps(fit: Fit) -> Float[np.ndarray, " n"]:
    return np.geomspace(max(float(fit.first_step), 1.0), float(fit.last_step), 120)


def _break(ax: Axes, fit: Fit, colour: str) -> None:
    """Both straight segments, the crossing with its intervals, and the curve's own value at the same step."""
    before = np.array([float(fit.first_step), fit.t_d * 2.5])
    after = np.array([fit.t_d / 2.5, float(fit.last_step)])
    ax.plot(before, fit.params.b * before**-fit.params.c0, color=colour, linestyle=BEFORE, linewidth=1.3, zorder=3)
    ax.plot(after, fit.L_d * (after / fit.t_d) ** -fit.r_d, color=colour, linestyle=AFTER, linewidth=1.8, zorder=3)
    for name, draw in (("t_d", ax.hlines), ("L_d", ax.vlines)):
        ends = fit.intervals.get(name)
        if ends is not None:
            draw(fit.L_d if name == "t_d" else fit.t_d, *ends, color=colour, linewidth=1.2, zorder=4)
    ax.plot(fit.t_d, float(fit.predict(fit.t_d)), "o", color=PAPER, markersize=6, markeredgecolor=INK, zorder=5)
    ax.plot(fit.t_d, fit.L_d, "D", color=colour, markersize=5.5, markeredgecolor=PAPER, zorder=5.5)


def verdict_inset(ax: Axes, fit: Fit, why: str) -> None:
    """The numbers of the break in the lower left corner, or why there are none."""
    if fit.verdict == "cannot-tell":
        numbers = textwrap.fill(f"cannot tell: {why}", 36, max_lines=5, placeholder=" …")
    elif fit.verdict == "no-break":
        numbers = "no break in the fitted range"
    else:
        numbers = "\n".join(
            f"{form.symbol} = {text(getattr(fit, form.symbol), fit.intervals.get(form.symbol), form, False)} {unit}"
            for form, unit in ((L_D, "nats"), (T_D, "steps"), (R_D, ""))
        )
    behind = {"facecolor": PAPER, "edgecolor": "none", "pad": 2.0, "alpha": 0.8}  # lines do not strike the text out
    inset = ax.text(0.04, 0.04, numbers, transform=ax.transAxes, va="bottom", fontsize=8.5, linespacing=1.45)
    inset.set(zorder=6, bbox=behind)


def fit_handles(broken: bool) -> list[Artist]:
    """Legend entries of what `fit_on_curve` draws. broken: whether any panel shows a break."""
    handles: list[Artist] = [
        entry("loss of a step (thinned)", marker=".", markersize=4, alpha=0.6),
        entry("fit", linewidth=1.4),
        Patch(facecolor=RANGE, edgecolor=MUTED, linewidth=0.4, label="fitted range"),
    ]
    if broken:
        handles += [
            entry("straight segment before the break", linestyle=BEFORE, linewidth=1.3),
            entry("straight segment after the break", linestyle=AFTER, linewidth=1.8),
            entry("t_d, L_d: segments cross (with intervals)", marker="D", linestyle="-", markersize=6),
            entry("the curve's value at t_d", marker="o", markerfacecolor="none"),
        ]
    return handles
