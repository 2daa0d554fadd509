"""How every figure is drawn: colours with roles, axes, legends, the fit on its curve. Loads matplotlib when used.

Sections say `from zerosum.show import drawing as d` and `d.panels(...)`: a terminal answer then needs no matplotlib.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from zerosum.show.drawing.axes import log_axis, log_thinned, log_ticks, note_above, panels, plain, say_empty
    from zerosum.show.drawing.files import Drawing, draw, draw_for_print, inline_svg, write_figure
    from zerosum.show.drawing.fit_on_curve import drawn_rows, fit_handles, fit_on_curve, law_line, verdict_inset
    from zerosum.show.drawing.interference_series import interference_columns, null_handles, series
    from zerosum.show.drawing.legend import entry, legend_below, run_handles
    from zerosum.show.drawing.module import FigureModule
    from zerosum.show.drawing.multiples import (
        FEW_PANELS,
        MOST_PANELS,
        multiples,
        name_axes,
        shown,
        ticks,
        titles,
    )
    from zerosum.show.drawing.style import (
        GRID,
        INK,
        LINES,
        MARKERS,
        MUTED,
        PAPER,
        RANGE,
        ROLES,
        SERIES,
        Layout,
        RunStyle,
        looks_of,
        run_styles,
        style,
    )

_FILES = {
    "axes": ["log_axis", "log_thinned", "log_ticks", "note_above", "panels", "plain", "say_empty"],
    "files": ["Drawing", "draw", "draw_for_print", "inline_svg", "write_figure"],
    "fit_on_curve": ["drawn_rows", "fit_handles", "fit_on_curve", "law_line", "verdict_inset"],
    "interference_series": ["interference_columns", "null_handles", "series"],
    "legend": ["entry", "legend_below", "run_handles"],
    "module": ["FigureModule"],
    "multiples": ["FEW_PANELS", "MOST_PANELS", "multiples", "name_axes", "shown", "ticks", "titles"],
    "style": [
        *("GRID", "INK", "LINES", "MARKERS", "MUTED", "PAPER", "RANGE", "ROLES", "SERIES"),
        *("Layout", "RunStyle", "looks_of", "run_styles", "style"),
    ],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_FILES)

__all__ = [
    "FEW_PANELS",
    "GRID",
    "INK",
    "LINES",
    "MARKERS",
    "MOST_PANELS",
    "MUTED",
    "PAPER",
    "RANGE",
    "ROLES",
    "SERIES",
    "Drawing",
    "FigureModule",
    "Layout",
    "RunStyle",
    "draw",
    "draw_for_print",
    "drawn_rows",
    "entry",
    "fit_handles",
    "fit_on_curve",
    "inline_svg",
    "interference_columns",
    "law_line",
    "legend_below",
    "log_axis",
    "log_thinned",
    "log_ticks",
    "looks_of",
    "multiples",
    "name_axes",
    "note_above",
    "null_handles",
    "panels",
    "plain",
    "run_handles",
    "run_styles",
    "say_empty",
    "series",
    "shown",
    "style",
    "ticks",
    "titles",
    "verdict_inset",
    "write_figure",
]
