"""The report as files: one page, and each figure as SVG, PDF and CSV."""

import json
from pathlib import Path

from zerosum.atomic import write_text
from zerosum.show.drawing import draw, write_figure
from zerosum.show.suite.documents import to_json
from zerosum.show.suite.figures import FIGURES
from zerosum.show.suite.page import html
from zerosum.show.suite.summary import SuiteSummary


def write_report(summary: SuiteSummary, out_dir: str | Path) -> Path:
    """Write `report.html`, `summary.json` and `figures/` into a folder; return the path of the page.

    Every file appears only when it is complete and replaces an older one of its name; other files stay. The page comes
    last, so that a page that is there finds its figures.
    """
    folder = Path(out_dir)
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawings = {stem: draw(module, summary) for stem, module in FIGURES.items()}
    for stem, drawing in drawings.items():
        write_figure(drawing, FIGURES[stem].table(summary), figures, stem)
    document = json.dumps(to_json(summary), indent=2, allow_nan=False, ensure_ascii=False)
    write_text(folder / "summary.json", document + "\n")
    page = folder / "report.html"
    write_text(page, html(summary, drawings))
    return page
