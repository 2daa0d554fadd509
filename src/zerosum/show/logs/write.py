"""The report on loss logs as files: one page, the paper's tables as CSV and LaTeX, JSON, and each figure."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zerosum.atomic import write_text
from zerosum.deceleration import Analysis, Comparison
from zerosum.show.drawing import draw_for_print, write_figure
from zerosum.show.drawing.files import inert
from zerosum.show.logs import latex, paper_tables
from zerosum.show.logs.figures import figures_of
from zerosum.show.logs.page import html
from zerosum.show.logs.subject import Logs

TABLES = {
    "fits": (paper_tables.fits, latex.fits),
    "parameters": (paper_tables.parameters, latex.parameters),
    "comparison": (paper_tables.comparison, latex.comparison),
}
"""File stem -> the table at full precision, and as LaTeX."""


def write_logs(
    analyses: Sequence[Analysis],
    comparisons: Sequence[Comparison],
    folder: Path,
    provenance: dict[str, Any],
    errors: Sequence[dict[str, str]] = (),
) -> Path:
    """Write `report.html`, tables, JSON and `figures/` into a folder; return the path of the page.

    analyses: one for each curve, as `analyse` gives them. comparisons: of pairs of them; may be empty. provenance: how
    this was made, shown at the end of the page; values may be nested dicts. errors: {source, message} of what could not
    be used, which the JSON repeats.
    Every file appears only when it is complete and replaces an older one of its name; other files stay. The page comes
    last, so that a page that is there finds its files.
    """
    logs = Logs(tuple(analyses), tuple(comparisons))
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    modules = figures_of(logs)
    drawings = {stem: draw_for_print(module, logs) for stem, module in modules.items()}
    for stem, drawing in drawings.items():
        write_figure(drawing, modules[stem].table(logs), folder / "figures", stem)
    for stem, (table, tex) in TABLES.items():
        if stem != "comparison" or logs.comparisons:
            write_text(folder / f"{stem}.csv", inert(table(logs)).to_csv(index=False, lineterminator="\n"))
            write_text(folder / f"{stem}.tex", tex(logs))
    _write_json(folder / "fits.json", "curves", [one.to_json() for one in logs.analyses], errors)
    if logs.comparisons:
        _write_json(folder / "comparisons.json", "comparisons", [one.to_json() for one in logs.comparisons], errors)
    page = folder / "report.html"
    write_text(page, html(logs, drawings, provenance))
    return page


def _write_json(path: Path, name: str, documents: list[dict[str, Any]], errors: Sequence[dict[str, str]]) -> None:
    document = {name: documents, "errors": list(errors)}
    write_text(path, json.dumps(document, indent=2, allow_nan=False) + "\n")
