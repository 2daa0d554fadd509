"""Figures as SVG for the page and as SVG, PDF and CSV files; the same numbers always give the same bytes."""

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from zerosum.show.drawing.style import ROLES, style
from zerosum.show.report import Report

SVG_DPI = 72
TYPESETTING = ("GDEF", "GPOS", "GSUB", "MATH")
"""Tables of a font that place and replace glyphs: no use in a PDF, whose glyphs have their places."""
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


@dataclass(frozen=True)
class Drawing:
    """One figure, drawn: SVG in both layouts, a PDF, and a PDF for one column of a journal where it was asked for."""

    wide: bytes
    narrow: bytes
    pdf: bytes
    column: bytes = b""


def draw(figure: Any, report: Report, for_print: bool = False) -> Drawing:
    """Draw the figure of a section once for all the places it goes to. figure: the file of the section.

    The PDF is the wide figure; for_print: it fits two columns of a journal, and another PDF one column.
    """
    wide, narrow = (_laid_out(figure.plot(report, layout)) for layout in ("wide", "narrow"))
    page = _laid_out(figure.plot(report, "print")) if for_print else wide
    column = _saved(narrow, "pdf") if for_print else b""
    return Drawing(_saved(wide, "svg"), _saved(narrow, "svg"), _saved(page, "pdf"), column)


def _laid_out(fig: Figure) -> Figure:
    """The figure with its panels placed once: savefig would place them again for each file.

    While a figure has a layout engine, savefig draws it twice, the first time only for the layout.
    """
    FigureCanvasSVG(fig)
    fig.set_dpi(SVG_DPI)  # texts are measured as they will be drawn
    with style():
        if engine := fig.get_layout_engine():
            engine.execute(fig)
        fig.set_layout_engine(None)
    return fig


def _saved(fig: Figure, kind: str) -> bytes:
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None, "Producer": None}
    buffer = io.BytesIO()
    with style(), _fonts_without_typesetting(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the reader's font may well have it
        fig.savefig(buffer, format=kind, metadata={"Creator": "zerosum", **metadata}, facecolor="white")
    return buffer.getvalue()


@contextmanager
def _fonts_without_typesetting() -> Iterator[None]:
    """Fonts are embedded without tables that PDFs do not use: three quarters of the time to embed one is reading these.

    Where matplotlib loads fonts in another way, files are only a little larger.
    """
    load = subset.load_font

    def without_tables(*arguments: Any, **options: Any) -> TTFont:
        font = load(*arguments, **options)
        for table in TYPESETTING:
            if table in font:
                del font[table]
        return font

    subset.load_font = without_tables
    try:
        yield
    finally:
        subset.load_font = load


def inline_svg(svg: bytes, prefix: str, label: str) -> Markup:
    """A drawn figure as an element to put into an HTML page.

    prefix: put before every id, so that several figures live in one page. label: the text alternative. Colours become
    the page's CSS variables, the background is left to the page, and the size is that of the container.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own bytes, see `draw`
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("metadata", "}style")) or child.get("id") == "patch_1":  # patch_1: white paper
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        attributes = {key.removeprefix(f"{{{_XLINK}}}"): value for key, value in element.attrib.items()}
        element.attrib.clear()
        element.attrib.update({key: _for_page(key, value, prefix) for key, value in attributes.items()})
        if element.tag == "g":  # groups are never referred to
            element.attrib.pop("id", None)
        if element.tag != "text":
            element.text = None
        element.tail = None
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - serialised, so text is escaped


def _for_page(key: str, value: str, prefix: str) -> str:
    """One attribute: ids made unique, colours made the page's, coordinates cut to a hundredth of a point."""
    if key == "id":
        return f"{prefix}-{value}"
    if key == "href":
        return value.replace("#", f"#{prefix}-", 1)
    if key in ("d", "x", "y", "transform", "points"):
        return re.sub(r"\d+\.\d{3,}", lambda hit: f"{float(hit[0]):.2f}", value)
    value = value.replace("url(#", f"url(#{prefix}-")
    return re.sub("#[0-9a-f]{6}", lambda hit: _themed(hit[0]), value)


def _themed(colour: str) -> str:
    return f"var(--fig-{ROLES[colour]})" if colour in ROLES else colour
