"""How every figure is drawn and written: colours with roles, axes, legends, the fit on its curve, files.

Knows curves and fits, but not which figures there are.
"""

from zerosum.show.drawing.files import Drawing, draw, draw_for_print, inline_svg, write_figure
from zerosum.show.drawing.module import FigureModule
from zerosum.show.drawing.style import Layout

__all__ = ["Drawing", "FigureModule", "Layout", "draw", "draw_for_print", "inline_svg", "write_figure"]
