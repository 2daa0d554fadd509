"""A measurement as plain Python for JSON: full precision, null with a reason where there is no number."""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zerosum.gradients._result import EXACT

if TYPE_CHECKING:
    from zerosum.gradients._result import GradientInterference, ParameterSet, Proxy
    from zerosum.interference import Interference

OF_GRADIENTS = ("D_grad", "D_grad_matrices")
OF_UPDATE = ("D_loss", "M_loss", "D_first_order", "M_first_order", "C_g", "C_ug", "C_uG")
NULLS = ("null", "null_unit", "excess")
UNTOUCHED = "no token has a gradient here beyond rounding"
NOT_TIMED = {"estimated_seconds": "method auto was not asked for"}
UNMOVED = "the update moves nothing here"


def document(found: "GradientInterference") -> dict[str, Any]:
    """null, null_unit, excess: of D_first_order, by random signs of its tokens and of its sequences."""
    values = {name: getattr(found, name) for name in ("loss", *OF_GRADIENTS, *OF_UPDATE)}
    values |= {name: getattr(found.first_order, name) if found.first_order else math.nan for name in NULLS}
    said: dict[str, Any] = {name: getattr(found, name) for name in ("N", "n_sequences", "n_positions", "method")}
    said |= {"n_sampled": found.n_sampled, "seed": found.seed, "dtype": found.dtype}
    said |= numbers({"estimated_seconds": math.nan if found.seconds is None else found.seconds}, NOT_TIMED)
    said |= numbers(values, found.reasons)
    intervals: dict[str, Any] = {}
    for name in (*OF_GRADIENTS, *OF_UPDATE):
        ends = found.intervals.get(name)
        intervals[name] = list(ends) if ends else None
        if not ends:
            intervals[f"{name}_reason"] = found.reasons.get(f"interval {name}", "not given")
    intervals["level"] = 0.95
    said |= {"intervals": intervals}
    for name in ("first_order", "loss_change"):
        said |= _interference(name, getattr(found, name), found.reasons)
    said["parameters"] = [_part(one, found.reasons) for one in found.parameters]
    said["layers"] = [_part(one, found.reasons) for one in found.layers]
    if found.dtype_error:
        said["dtype_error"] = asdict(found.dtype_error)
    if found.proxy:
        said["positionwise"] = _proxy(found.proxy, found.reasons)
    return said | {"notes": list(found.notes)}


def _proxy(proxy: "Proxy", reasons: dict[str, str]) -> dict[str, Any]:
    names = ("D_grad", "D_grad_matrices", "C_g")
    said: dict[str, Any] = numbers(
        {name: getattr(proxy, name) for name in names}, {"C_g": reasons.get("C_uG", UNMOVED)}
    )
    of_update = {"C_g": reasons.get("C_uG", UNMOVED), "C_ug": "the proxy has none"}
    why = reasons | of_update | {"interval D_grad": EXACT}
    for name in ("parameters", "layers"):
        said[name] = [_part(one, why) for one in getattr(proxy, name)]
    return said


def numbers(values: dict[str, float], reasons: dict[str, str]) -> dict[str, Any]:
    """Each number, null and `<name>_reason` where it is not finite."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        known = math.isfinite(value)
        found[name] = value if known else None
        if not known:
            found[f"{name}_reason"] = reasons.get(name, "not a number")
    return found


def _part(one: "ParameterSet", reasons: dict[str, str]) -> dict[str, Any]:
    sums = one.sums
    why = {"D_grad": one.reason or UNTOUCHED} | {n: reasons.get(n, UNMOVED) for n in ("C_g", "C_ug", "C_uG")}
    found: dict[str, Any] = {"name": one.name, "kind": one.kind, "numel": sums.numel}
    found |= {"touched": None, "touched_reason": one.reason} if one.reason else {"touched": sums.touched}
    found |= numbers({"D_grad": one.D_grad, "C_g": one.C_g, "C_ug": one.C_ug, "C_uG": one.C_uG}, why)
    found["D_grad_interval"] = list(one.interval) if one.interval else None
    if not one.interval:
        found["D_grad_interval_reason"] = one.reason or reasons.get("interval D_grad", "not given")
    sums_of_p = {"sum_ij_abs_p": sums.mass, "sum_j_abs_sum_i_p": sums.net, "sum_ij_p": sums.signed}
    return found | sums_of_p


def _interference(name: str, found: "Interference | None", reasons: dict[str, str]) -> dict[str, Any]:
    if found is None:
        return {name: None, f"{name}_reason": reasons["C_uG"]}
    names = ("R", "D", "M", "delta_L", "harmful_share", "null", "null_unit", "excess")
    said = {"N": found.N, **numbers({one: getattr(found, one) for one in names}, found.reasons)}
    said |= {"null_method": found.null_method, "null_unit_method": found.null_unit_method}
    if found.interval is None:
        return {name: said | {"interval": None, "interval_reason": found.interval_reason or "not given"}}
    ends = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(found.interval).items()}
    return {name: said | {"interval": ends}}
