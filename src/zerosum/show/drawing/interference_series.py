"""R, D, M or the harmful share of measured changes against step: with intervals and, for D, both nulls."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zerosum.interference import Interference
from zerosum.show.drawing.axes import with_band
from zerosum.show.drawing.legend import entry
from zerosum.show.drawing.style import MUTED, RunStyle

MEASURED = ("R", "D", "M", "delta_L", "harmful_share")
TOKEN_NULL, UNIT_NULL = (0, (1, 1.5)), (0, (6, 2))


def series(
    ax: Axes, step: Sequence[float], measured: Sequence[Interference], look: RunStyle, quantity: str
) -> list[float]:
    """Draw `quantity` (a name of `Interference`) of one run; return the values that the axis has to reach."""
    if quantity == "D":
        for null, dashes in (("null", TOKEN_NULL), ("null_unit", UNIT_NULL)):
            by_chance = [getattr(change, null) for change in measured]
            ax.plot(step, by_chance, color=MUTED, linestyle=dashes, linewidth=1, zorder=1.5)
    estimates = [change.estimate(quantity) for change in measured]
    with_band(ax, step, estimates, look)
    return [estimate.value for estimate in estimates]


def mark_breaks(ax: Axes, breaks: Mapping[str, float], looks: Mapping[str, RunStyle]) -> None:
    """Short bars on the axis at t_d of each run, by label."""
    low, high = ax.get_xlim()
    for label, t_d in breaks.items():
        if low <= t_d <= high:
            ax.axvline(t_d, 0, 0.055, color=looks[label].colour, linewidth=2.2, linestyle="-", zorder=4)


def null_handles(unit: str) -> list[Line2D]:
    """Legend entries of the two nulls. unit: what the second one gives a random sign."""
    return [
        entry("null: a random sign per token", color=MUTED, linestyle=TOKEN_NULL),
        entry(f"null_unit: a random sign per {unit}", color=MUTED, linestyle=UNIT_NULL),
    ]


def interference_columns(measured: Interference) -> dict[str, float | int | str | None]:
    """One measurement as columns of a figure's table: numbers, N, nulls, and ends of the intervals."""
    row: dict[str, float | int | str | None] = {name: getattr(measured, name) for name in MEASURED}
    nulls = ("N", "null", "null_method", "null_unit", "null_unit_method", "excess")
    row |= {name: getattr(measured, name) for name in nulls}
    interval = measured.interval
    for name in MEASURED:
        low, high = getattr(interval, name) if interval else (np.nan, np.nan)
        row |= {f"{name}_low": low, f"{name}_high": high}
    row["level"] = interval.level if interval else np.nan
    row["n_units"] = interval.n_units if interval else np.nan
    row["interval_method"] = interval.method if interval else f"none: {measured.interval_reason}"
    return row
