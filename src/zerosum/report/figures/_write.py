"""Figures as SVG for the page and as SVG, PDF and CSV files; the same numbers always give the same bytes."""

import io
import re
import warnings
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from zerosum.atomic import new_file, write_text
from zerosum.report.figures._style import ROLES, style

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"


def _saved(fig: Figure, kind: str) -> bytes:
    metadata = {"Date": None} if kind == "svg" else {"CreationDate": None, "Producer": None}
    buffer = io.BytesIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # the reader's font may well have it
        fig.savefig(buffer, format=kind, metadata={"Creator": "zerosum", **metadata}, facecolor="white")
    return buffer.getvalue()


def inline_svg(fig: Figure, prefix: str, label: str) -> Markup:
    """The figure as an element to put into an HTML page.

    prefix: put before every id, so that several figures live in one page. label: the text alternative. Colours become
    CSS variables with the figure's own as fallback, the background is left to the page, and the size is its container's.
    """
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        buffer = io.BytesIO()
        fig.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - our own bytes, from the line above
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("metadata", "}style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            element.set(key.replace(f"{{{_XLINK}}}", ""), _page_value(key, value, prefix))
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.set("role", "img")
    root.set("aria-label", label)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - serialised, so text is escaped


def _page_value(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key.endswith("href"):
        return value.replace("#", f"#{prefix}-", 1)
    value = re.sub(r"url\(#", f"url(#{prefix}-", value)
    return re.sub("#[0-9a-f]{6}", lambda hit: _themed(hit[0]), value) if key in ("style", "fill", "stroke") else value


def _themed(colour: str) -> str:
    return f"var(--fig-{ROLES[colour]}, {colour})" if colour in ROLES else colour


def write_figure(fig: Figure, table: pd.DataFrame, folder: Path, stem: str) -> None:
    """Write `stem`.svg, .pdf and .csv into the folder, each complete or not at all."""
    for kind in ("svg", "pdf"):
        with new_file(folder / f"{stem}.{kind}") as part:
            part.write_bytes(_saved(fig, kind))
    write_text(folder / f"{stem}.csv", inert(table).to_csv(index=False, lineterminator="\n"))


def inert(table: pd.DataFrame) -> pd.DataFrame:
    """The table with texts that a spreadsheet would run as a formula made plain by a leading apostrophe."""
    return table.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell[:1] in set("=+-@\t\r") else cell)
