"""R, D, M or the harmful share of measured changes against step: with intervals and, for D, both nulls."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from zerosum.interference import Interference
from zerosum.show.drawing.legend import entry
from zerosum.show.drawing.style import MUTED, RunStyle

MEASURED = ("R", "D", "M", "delta_L", "harmful_share")
TOKEN_NULL, UNIT_NULL = (0, (1, 1.5)), (0, (6, 2))


def series(
    ax: Axes, step: Sequence[float], found: Sequence[Interference], look: RunStyle, quantity: str
) -> list[float]:
    """Draw `quantity` (a name of `Interference`) of one run; return the values that the axis has to reach."""
    value = [getattr(one, quantity) for one in found]
    ends = [getattr(one.interval, quantity) if one.interval else (np.nan, np.nan) for one in found]
    low, high = [end[0] for end in ends], [end[1] for end in ends]
    if quantity == "D":
        ax.plot(step, [one.null for one in found], color=MUTED, linestyle=TOKEN_NULL, linewidth=1, zorder=1.5)
        ax.plot(step, [one.null_unit for one in found], color=MUTED, linestyle=UNIT_NULL, linewidth=1, zorder=1.5)
    if np.isfinite(low).any():
        ax.fill_between(step, low, high, color=look.colour, alpha=0.2 * look.strength, linewidth=0)
    ax.plot(step, value, color=look.colour, marker=look.marker, linestyle=look.line, alpha=look.strength, zorder=3)
    return value


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
