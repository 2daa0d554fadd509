"""`zerosum report --json`: the numbers of the page at full precision."""

from pathlib import Path
from typing import Any

from zerosum.cli.interference_tables import groups_document, pair_documents, store_document
from zerosum.interference.labelled import HeatMap, StoreFindings
from zerosum.show import RunReport
from zerosum.show.suite.documents import plain, with_reasons


def document(source: str, told: RunReport, page: Path) -> dict[str, Any]:
    """One run: `curve` as `zerosum fit` gives it, `pairs` as `zerosum interference` does with `splits`, documents."""
    made: dict[str, Any] = {"source": source, "name": told.name, "report": str(page)}
    missing = told.all_missing
    made["missing"] = [{"what": one.what, "message": one.why, "command": one.command or None} for one in missing]
    made["curve"] = told.analysis.to_json() if told.analysis else None
    if told.analysis is None:
        made["curve_reason"] = next(one.why for one in missing if one.what == "The loss curve")
    if told.losses is None:
        return made | {"pairs": [], "documents": [], "provenance": plain(told.provenance)}
    return made | _losses(source, told.losses) | {"provenance": plain(told.provenance)}


def _losses(source: str, losses: StoreFindings) -> dict[str, Any]:
    pairs = pair_documents(source, losses.found)
    for pair in pairs:
        for name in ("by", "by_reason", "groups", *(f"C_{one}" for one in ("between", "within", "between_null"))):
            pair.pop(name, None)
            pair.pop(f"{name}_reason", None)
        steps = (pair["from_step"], pair["to_step"])
        pair["splits"] = [
            groups_document(groups)
            for one in losses.groups
            for of, groups in one.splits
            if (of.from_step, of.to_step) == steps
        ]
    return {"pairs": pairs, **store_document(source, losses.found), "documents": _documents(losses.heat)}


def _documents(heat: HeatMap | None) -> list[dict[str, Any]]:
    if heat is None:
        return []
    return [
        {
            "from_step": heat.from_step,
            "to_step": heat.to_step,
            "name": one.name,
            "net": one.net,
            "N": one.N,
            "note": one.note,
            "tokens": [
                {"sequence": token.sequence, "position": token.position, "token": token.id}
                | with_reasons({"change": token.change}, {"change": "nothing is predicted here, or a loss is missing"})
                for part in one.parts
                for token in part
            ],
        }
        for one in heat.documents
    ]
