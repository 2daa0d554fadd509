"""Every loss curve on logarithmic axes with its fit, both straight segments, the break and its intervals."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from zerosum.deceleration import Fit
from zerosum.show.drawing.axes import log_axis
from zerosum.show.drawing.fit_on_curve import POINTS, drawn_rows, fit_handles, fit_on_curve, law_line, verdict_inset
from zerosum.show.drawing.legend import entry, legend_below
from zerosum.show.drawing.multiples import FEW_PANELS, multiples, name_axes, shown, ticks, titles
from zerosum.show.drawing.style import MUTED, Layout, run_styles, style
from zerosum.show.logs.subject import Logs
from zerosum.show.names import printable
from zerosum.show.words import BREAKS, the_break

TITLE = "Loss curves and their fits"
HOW_TO_READ = (
    "Both axes are logarithmic, so that a constant rate of improvement is a straight line. Dots are logged losses, "
    f"thinned evenly on the logarithmic axis to at most {POINTS} for each curve; every row took part in the fit. The "
    "dark line is the fit, the shaded steps are those it was fitted to. The dashed and the dotted line are its two "
    "straight segments. The diamond marks where they cross: this is t_d and L_d, its arms are their intervals. The "
    "curve itself turns smoothly and passes the same step somewhat higher, at the circle. r_d is how steep the line is "
    "after the break: larger is better. A curve without a break that may be believed shows its fit and no marks."
)


def plot(logs: Logs, layout: Layout = "wide") -> Figure:
    """One panel for each curve, on shared axes; the fits of the others stay in the background for comparison."""
    with style():
        drawn = shown(logs.named)
        looks = run_styles(logs.names)
        fig, axes = multiples(len(logs.named), layout, height=3.4, share=True)
        few = len(drawn) <= FEW_PANELS
        heads = titles([name for name, _ in drawn], layout)
        for ax, (_, one), head, look in zip(axes, drawn, heads, looks, strict=False):
            for _, other in drawn if few else ():
                if other is not one:
                    law_line(ax, other.fit, MUTED, 0.8, 0.3)
            fit_on_curve(ax, one.fit.curve, one.fit, look.colour, _points(logs))
            ax.set_title(head)
            if few or layout == "narrow":
                verdict_inset(ax, one.fit, "; ".join(reason.code for reason in one.fit.reasons))
        _scales(axes[0], logs)
        name_axes(axes, layout, "step t", "loss (nats per token)")
        handles = fit_handles(any(one.fit.verdict in BREAKS for _, one in drawn))
        if 1 < len(drawn) <= FEW_PANELS:
            handles.append(entry("fits of the other curves", color=MUTED, linewidth=0.8, alpha=0.5))
        legend_below(fig, handles, layout)
    return fig


def _points(logs: Logs) -> int:
    """Losses drawn of each curve: fewer in smaller panels."""
    return POINTS if len(logs.analyses) <= FEW_PANELS else POINTS // 2


def _scales(ax: Axes, logs: Logs) -> None:
    drawn = [one.fit for _, one in shown(logs.named)]
    steps = [float(step) for fit in drawn for step in fit.curve.step[drawn_rows(fit.curve)]]
    losses = [float(loss) for fit in drawn for loss in fit.curve.loss[drawn_rows(fit.curve)]]
    if not steps:
        return
    crossings = [fit.L_d for fit in drawn if fit.verdict in BREAKS]
    log_axis(ax, "x", steps, pad=1.3, most=ticks(len(drawn)))
    low, high = min([*losses, *crossings]), max(losses)
    room = (high / low) ** (
        0.14 if len(drawn) <= FEW_PANELS else 0.03
    )  # below the curves, for the numbers of the break
    log_axis(ax, "y", [low / room, high], pad=1.04)


def alt(logs: Logs) -> str:
    """What the figure shows, for who cannot see it."""
    curves = " ".join(f"{printable(name)}: {the_break(one.fit)}" for name, one in shown(logs.named))
    return f"Loss against step, both logarithmic, one panel for each curve. {curves}"


def table(logs: Logs) -> pd.DataFrame:
    """The rows that are drawn, with the fit's value and both segments at each; numbers of the break are in fits.csv."""
    return pd.concat([_rows(name, one.fit, _points(logs)) for name, one in shown(logs.named)], ignore_index=True)


def _rows(name: str, fit: Fit, points: int) -> pd.DataFrame:
    kept = drawn_rows(fit.curve, points)
    step = fit.curve.step[kept]
    believed = fit.verdict in BREAKS
    with np.errstate(over="ignore", under="ignore"):
        before = fit.params.b * step**-fit.params.c0 if believed else np.nan
        after = fit.L_d * (step / fit.t_d) ** -fit.r_d if believed else np.nan
    return pd.DataFrame(
        {
            "run": name,
            "step": step,
            "loss": fit.curve.loss[kept],
            "fit": fit.predict(step),
            "segment_before": before,
            "segment_after": after,
            "in_fitted_range": (step >= fit.first_step) & (step <= fit.last_step),
        }
    )
