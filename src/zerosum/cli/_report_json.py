"""`zerosum report --json`: the numbers of the page at full precision."""

from pathlib import Path
from typing import Any

from zerosum.interference.labelled import StoreFindings
from zerosum.show import RunReport


def document(source: str, told: RunReport, page: Path) -> dict[str, Any]:
    """One run: `curve` as `zerosum fit` gives it, `pairs` as `zerosum interference` does with `splits`, documents."""
    made: dict[str, Any] = {"source": source, "name": told.name, "report": str(page)}
    missing = told.all_missing
    made["missing"] = [{"what": one.what, "message": one.why, "command": one.command or None} for one in missing]
    made["curve"] = told.analysis.to_json() if told.analysis else None
    if told.analysis is None:
        made["curve_reason"] = next(one.why for one in missing if one.what == "The loss curve")
    if told.losses is None:
        return made | {"pairs": [], "documents": [], "provenance": told.provenance}
    return made | _losses(source, told.losses) | {"provenance": told.provenance}


def _losses(source: str, losses: StoreFindings) -> dict[str, Any]:
    pairs = [{"source": source, **pair} for pair in losses.pairs_to_json()]
    documents = losses.heat.to_json() if losses.heat else []
    return {"pairs": pairs, "source": source, **losses.found.to_json(), "documents": documents}
