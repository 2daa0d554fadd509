"""The report on one run as files: one page, and each figure as SVG, PDF and CSV."""

from pathlib import Path

import pandas as pd

from zerosum.atomic import write_text
from zerosum.interference.labelled import HeatMap
from zerosum.show.drawing import Drawing, draw, write_figure
from zerosum.show.drawing.files import inert
from zerosum.show.logs.figures import curves
from zerosum.show.logs.subject import Logs
from zerosum.show.names import printable
from zerosum.show.run.figures import figures_of
from zerosum.show.run.gradients import write_figures
from zerosum.show.run.heat import shown_text
from zerosum.show.run.page import CURVES, html
from zerosum.show.run.subject import RunReport


def write_run(report: RunReport, folder: Path) -> Path:
    """Write `report.html` and `figures/` into a folder; return the path of the page.

    Every file appears only when it is complete and replaces an older one of its name; other files stay. The page comes
    last, so that a page that is there finds its figures.
    """
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    drawings: dict[str, Drawing] = {}
    if report.analysis:
        logs = Logs((report.analysis,))
        drawings[CURVES] = draw(curves, logs)
        write_figure(drawings[CURVES], curves.table(logs), figures, CURVES)
    if losses := report.losses:
        for stem, module in figures_of(losses).items():
            drawings[stem] = draw(module, losses)
            write_figure(drawings[stem], module.table(losses), figures, stem)
        if losses.heat:
            write_text(figures / "documents.csv", inert(tokens(losses.heat)).to_csv(index=False, lineterminator="\n"))
    if report.gradients:
        drawings |= write_figures(report.gradients, figures)
    page = folder / "report.html"
    write_text(page, html(report, drawings))
    return page


def tokens(heat: HeatMap) -> pd.DataFrame:
    """One row for each token of the documents shown."""
    return pd.DataFrame([
        {
            "from_step": heat.from_step, "to_step": heat.to_step, "document": printable(document.name),
            "sequence": token.sequence, "position": token.position, "token": token.id,
            "text": shown_text(token)[0] if heat.decoded else "", "change": token.change,
        }
        for document in heat.documents
        for part in document.parts
        for token in part
    ])  # fmt: skip
