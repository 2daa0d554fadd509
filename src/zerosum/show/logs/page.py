"""The page on loss logs: what it shows, in which order."""

from typing import Any

from zerosum.show import old_page as page
from zerosum.show.drawing import Drawing
from zerosum.show.drawing.style import ROLES, run_styles
from zerosum.show.logs import tables, words
from zerosum.show.logs.figures import FIGURES
from zerosum.show.logs.subject import Logs
from zerosum.show.words import VERDICTS


def html(logs: Logs, drawings: dict[str, Drawing], provenance: dict[str, Any]) -> str:
    """The whole page. drawings: of the figures that it shows, by their stem."""
    figures = [page.on_page(stem, FIGURES[stem], logs, drawing) for stem, drawing in drawings.items()]
    colours = [ROLES[look.colour] for look in run_styles(logs.names)]
    return page.render(
        "logs/page.html.j2",
        provenance,
        title=_title(logs),
        opening=words.opening(logs),
        stories=list(zip(words.stories(logs), colours, strict=True)),
        verdicts=VERDICTS,
        figures=[figure for figure in figures if figure.stem != "differences"],
        differences=next((figure for figure in figures if figure.stem == "differences"), None),
        fits=tables.fits(logs),
        tables={"misfit": tables.laws(logs), "forecasts": tables.forecasts(logs)},
        terms=tables.differences(logs),
        said=[words.difference(one) for one in logs.comparisons] if len(logs.comparisons) > 1 else [],
        methods=list(dict.fromkeys(one.method for one in logs.comparisons if one.terms)),
        readings=[(name, words.reading(one)) for name, one in logs.named],
        levels=logs.levels,
        compared=bool(logs.comparisons),
    )


def _title(logs: Logs) -> str:
    return logs.names[0] if len(logs.names) == 1 else f"{len(logs.names)} loss curves"
