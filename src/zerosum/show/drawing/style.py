"""How every figure looks: colours with a role each, so that the page can swap them for the reader's light or dark.

Colours of runs are Okabe and Ito's, distinct to colour-blind readers; marker and line differ too, for grey prints.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

import matplotlib as mpl

from zerosum.show.names import printable
from zerosum.show.report import Report

Layout = Literal["wide", "narrow", "print"]
"""wide: panels side by side, for desktops. narrow: one column, for phones. print: the width of a page; all with text
of the same size."""

INK, MUTED, GRID, RANGE, PAPER = "#1f2328", "#6a737d", "#e3e5e8", "#f3f1ea", "#fffffe"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
Line = Literal["-"] | tuple[float, tuple[float, ...]]

LINES: tuple[Line, ...] = (
    "-",
    (0.0, (5.0, 1.5)),
    (0.0, (4.0, 1.5, 1.0, 1.5)),
    (0.0, (2.0, 1.0)),
    (0.0, (7.0, 2.0, 2.0, 2.0)),
)

ROLES = {INK: "ink", MUTED: "muted", GRID: "grid", RANGE: "range", PAPER: "paper"} | {
    colour: f"series-{k}" for k, colour in enumerate(SERIES)
}
"""Colour in the figure -> name of the page's CSS variable `--fig-<name>`."""

_RC: dict[str, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib, and is wide: other fonts take no more room
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titley": 1.0,  # fixed: matplotlib would measure all tick labels of a panel to look for a higher place
    "axes.formatter.useoffset": False,  # nothing stands where the title is
    "axes.formatter.limits": (-12, 12),
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "text.parse_math": False,  # a `$` in a run's name is a `$`
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",  # text stays text: it can be read, searched and restyled
    "svg.hashsalt": "zerosum",  # the same numbers give the same bytes
    "pdf.fonttype": 42,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def style() -> Iterator[None]:
    """Settings under which figures are drawn and written; the caller's own come back afterwards."""
    settings: dict[Any, Any] = {**mpl.rcParamsDefault, "backend": mpl.rcParams["backend"], **_RC}
    with mpl.rc_context(settings):
        yield


@dataclass(frozen=True)
class RunStyle:
    """How one run is drawn. label: what the legend calls it, None for later seeds of a size that is already there."""

    colour: str
    marker: str
    line: Line
    label: str | None
    strength: float  # of the line, 1 for the first seed of a size and less for the others


def run_styles(names: Sequence[str]) -> list[RunStyle]:
    """One style per run: a colour, marker and line for each name; further runs of a name (other seeds) are fainter."""
    looks = zip(cycle(SERIES), cycle(MARKERS), cycle(LINES), strict=False)
    look_of = dict(zip(dict.fromkeys(names), looks, strict=False))
    seeds = Counter(names)
    styles, seen = [], set[str]()
    for name in names:
        colour, marker, line = look_of[name]
        first = name not in seen
        more = f" ({seeds[name]} seeds)" if seeds[name] > 1 else ""
        label = printable(name, 28) + more if first else None
        styles.append(RunStyle(colour, marker, line, label, 1.0 if first else 0.45))
        seen.add(name)
    return styles


def looks_of(report: Report) -> dict[str, RunStyle]:
    """How each run of a report is drawn, by its label: the same in all figures of the report."""
    return dict(zip(report.labels, run_styles(report.sizes), strict=True))
