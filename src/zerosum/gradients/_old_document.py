"""Reads what stores held before they held records: the document that `zerosum gradients --json` prints."""

from collections.abc import Mapping
from math import nan
from typing import Any

from zerosum.gradients._result import EXACT, NUMBERS, POSITIONWISE

Document = Mapping[str, Any]
_WHOLE = ("N", "n_sequences", "n_positions", "method", "seed", "notes", "source", "step", "tokens_seen", "dtype_error")
_OF_CHANGES = ("R", "D", "M", "delta_L", "harmful_share", "null", "null_unit", "excess")


def fields_of(document: Document) -> dict[str, Any]:
    """The fields of a `GradientInterference`, to be validated. Raises KeyError or TypeError where there are none."""
    proxy = document.get(POSITIONWISE)
    reasons, whys = _reasons(document, NUMBERS), _interval_reasons(document["intervals"])
    if proxy:
        names = ("D_grad", "D_grad_matrices", "C_g")
        document = {**document, **proxy}
        reasons = {name: why for name, why in reasons.items() if name not in names} | _reasons(proxy, names)
        reasons["C_ug"] = "the proxy has none"
        whys |= dict.fromkeys(names, EXACT) | {"C_ug": "the proxy has none"}
    ends = {name: given for name, given in document["intervals"].items() if isinstance(given, list)}
    numbers = ("loss", "D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG")
    return {
        **{name: document[name] for name in _WHOLE if name in document},
        **{name: _number(document, name) for name in numbers},
        "n_sampled": document.get("n_sampled", document["N"]),
        "dtype": document.get("dtype", "float32"),
        "units": document.get("units", "sequence"),
        "first_order": _interference(document.get("first_order")),
        "loss_change": _interference(document.get("loss_change")),
        "intervals": ends,
        "reasons": reasons,
        "interval_reasons": whys,
        "parameters": [_part(row) for row in document["parameters"]],
        "layers": [_part(row) for row in document["layers"]],
        "seconds": document.get("estimated_seconds"),
        "verified": _verified(document.get("verify")),
    }


def _number(document: Document, name: str) -> Any:
    return nan if document[name] is None else document[name]


def _reasons(document: Document, names: tuple[str, ...]) -> dict[str, str]:
    """Why numbers are null."""
    return {name: document[f"{name}_reason"] for name in names if document.get(name) is None}


def _interval_reasons(intervals: Document) -> dict[str, str]:
    return {
        name.removesuffix("_reason"): why
        for name, why in intervals.items()
        if name.endswith("_reason") and isinstance(why, str)
    }


def _part(row: Document) -> dict[str, Any]:
    """A parameter or a layer. How much of it cancels was stored as D_grad alone."""
    touched, D_grad = row["touched"] or 0, _number(row, "D_grad")
    sums = {"cancelled": touched * D_grad if touched else 0.0, "touched": touched, "numel": row["numel"]}
    sums |= {"net": row["sum_j_abs_sum_i_p"], "mass": row["sum_ij_abs_p"], "signed": row["sum_ij_p"]}
    return {
        **{"name": row["name"], "kind": row["kind"], "sums": sums, "D_grad": D_grad, "C_ug": _number(row, "C_ug")},
        **{"interval": row["D_grad_interval"], "reason": row.get("touched_reason")},
    }


def _interference(changes: Document | None) -> dict[str, Any] | None:
    if changes is None:
        return None
    given = {name: changes[name] for name in ("N", "null_method", "null_unit_method", "interval")}
    given |= {name: _number(changes, name) for name in _OF_CHANGES}
    return given | {"interval_reason": changes.get("interval_reason"), "reasons": _reasons(changes, _OF_CHANGES)}


def _verified(compared: Document | None) -> dict[str, Any] | None:
    return {name: _number(compared, name) for name in compared if not name.endswith("_reason")} if compared else None
