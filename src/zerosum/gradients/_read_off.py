"""Builds the result record from the accumulated sums.

Letters: S sequences, T predicted positions.
"""

from dataclasses import replace
from math import isnan, nan
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Shaped

from zerosum.gradients._by_set import Sets
from zerosum.gradients._parameter_set import Ends
from zerosum.gradients._plan import Plan
from zerosum.gradients._result import EXACT, POSITIONWISE, GradientInterference
from zerosum.gradients._share import Share
from zerosum.interference import Interference
from zerosum.interference import measure as measure_changes

NO_UPDATE = "no update was given"
NO_MOVE = "the update moves nothing that any token has a gradient in (twice the same weights?)"
NO_C_UG = "the proxy has none"
PROXY = (
    "positionwise: D_grad, C_g and everything by parameter and layer are of what each position contributes to the "
    "gradient of the summed loss, not of the gradients of single tokens"
)
UNTOUCHED = "no trainable parameter beside embedding and head has a gradient beyond rounding"
OF_CHANGES = ("D_first_order", "M_first_order", "D_loss", "M_loss")


def read_off(
    whole: Share, sets: Sets, losses: Float32[np.ndarray, "S T"], updated: bool, plan: Plan, seed: int, unit: Any
) -> GradientInterference:
    """losses: before the update, nats, NaN at padding. updated: whether there was one. unit: [S, 1], [S, T] or None."""
    per_token = _per_token(whole, losses, updated)
    first_order, loss_change = (
        measure_changes(per_token[name], unit, seed=seed) if updated else None
        for name in ("first_order", "loss_change")
    )
    total = sets.total.opposition
    moves = first_order is not None and total.mass > 0
    absolute = first_order.M * first_order.N if first_order else nan
    reasons, interval_reasons = _reasons(first_order, loss_change, sets, moves)
    record = GradientInterference(
        N=int(np.isfinite(losses).sum()),
        n_sequences=len(whole.rows),
        n_positions=losses.shape[1],
        method=plan.method,
        n_sampled=whole.n_formed,
        seed=seed,
        dtype=plan.dtype,
        loss=float(np.nanmean(losses.astype(np.float64))),
        D_grad=sets.D_grad,
        D_grad_matrices=sets.D_grad_matrices,
        C_g=total.C_g,
        C_ug=absolute / total.mass if moves else nan,
        C_uG=total.C_uG,
        first_order=first_order,
        loss_change=loss_change,
        intervals=_intervals(sets, moves, absolute, first_order, loss_change),
        reasons=reasons,
        interval_reasons=interval_reasons,
        parameters=sets.parameters,
        layers=sets.layers,
        seconds=plan.seconds,
        notes=tuple(note for note in (plan.note, *whole.notes, _rounding(sets.total.rounding), _thin(sets)) if note),
        units="sequence" if unit is None else "document",
        per_token=per_token,
        unit=_units(unit, losses),
    )
    return _as_proxy(record) if plan.method == POSITIONWISE else record


def _rounding(coordinates: int) -> str:
    if not coordinates:
        return ""
    return f"{coordinates:,} coordinates have gradients of rounding alone and count as untouched"


def _thin(sets: Sets) -> str:
    if not sets.thin:
        return ""
    touched = sum(parameter.sums.touched for parameter in sets.parameters)
    return (
        f"{sets.thin:,} of {touched:,} coordinates of D_grad have gradients of too few tokens in the sample (position "
        "embeddings, units seldom in use): anything from 0 to 1, as intervals say"
    )


def _as_proxy(record: GradientInterference) -> GradientInterference:
    """The record of the positionwise proxy, which has no C_ug, and says what it is."""
    return replace(
        record,
        n_sampled=0,
        C_ug=nan,
        reasons=record.reasons | {"C_ug": NO_C_UG},
        parameters=tuple(replace(part, C_ug=nan) for part in record.parameters),
        layers=tuple(replace(part, C_ug=nan) for part in record.layers),
        notes=(*record.notes, PROXY),
    )


def _units(unit: Any, losses: Float32[np.ndarray, "S T"]) -> Shaped[np.ndarray, "S T"]:
    """The resampling unit of each token: the given one, or its sequence."""
    units = np.arange(len(losses))[:, None] if unit is None else unit
    return np.broadcast_to(units, losses.shape)


def _per_token(whole: Share, losses: Float32[np.ndarray, "S T"], updated: bool) -> dict[str, Float[np.ndarray, "S T"]]:
    def of(name: str) -> Float[np.ndarray, "S T"]:
        return whole.in_place(name, len(losses))

    before = losses.astype(np.float64)
    numbers = {"loss": before, "norm_l1": of("l1"), "norm_l2": np.sqrt(of("l2_squared"))}
    if updated:
        numbers |= {"first_order": of("first_order"), "loss_change": of("loss_after") - before, "moved": of("moved")}
    return numbers


def _intervals(
    sets: Sets, moves: bool, absolute: float, first_order: Interference | None, loss_change: Interference | None
) -> dict[str, Ends]:
    ends = {name: interval for name, interval in sets.intervals.items() if interval is not None}
    if moves and sets.mass_interval is not None:
        low, high = sets.mass_interval
        ends |= {"C_g": (sets.total.net / high, sets.total.net / low), "C_ug": (absolute / high, absolute / low)}
    for name, changes in (("first_order", first_order), ("loss", loss_change)):
        if changes is not None and changes.interval is not None:
            ends |= {f"D_{name}": changes.interval.D, f"M_{name}": changes.interval.M}
    return ends


def _reasons(
    first_order: Interference | None, loss_change: Interference | None, sets: Sets, moves: bool
) -> tuple[dict[str, str], dict[str, str]]:
    """Why a number is NaN, and why one has no interval, by name."""
    why = {name: UNTOUCHED for name in ("D_grad", "D_grad_matrices") if isnan(getattr(sets, name))}
    missing = NO_UPDATE if first_order is None else NO_MOVE
    if not moves:
        why |= dict.fromkeys((*OF_CHANGES, "C_g", "C_ug", "C_uG", "null", "null_unit", "excess"), missing)
    in_sample = sets.mass_interval is not None or any(sets.intervals.values())
    exact = EXACT if not in_sample else "the sample gives none here"
    no_interval = dict.fromkeys(("D_grad", "D_grad_matrices"), exact)
    no_interval |= dict.fromkeys(("C_g", "C_ug"), exact if moves else missing)
    no_interval["C_uG"] = EXACT if moves else missing
    for name, changes in (("first_order", first_order), ("loss", loss_change)):
        reason = missing if changes is None else changes.interval_reason
        if changes is not None and "D" in changes.reasons:
            why.setdefault(f"D_{name}", changes.reasons["D"])
        no_interval |= {f"{letter}_{name}": reason or "not given" for letter in "DM"}
    return why, no_interval
