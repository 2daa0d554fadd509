"""From the sums of all tokens to what users are told.

Letters: S sequences, T predicted positions.
"""

from dataclasses import replace
from math import isnan, nan
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from zerosum.gradients._by_set import Sets
from zerosum.gradients._plan import Plan
from zerosum.gradients._result import EXACT, Ends, GradientInterference, ParameterSet, Proxy
from zerosum.gradients._share import Share
from zerosum.interference import Interference
from zerosum.interference import measure as measure_changes

NO_UPDATE = "no update was given"
NO_MOVE = "the update moves nothing that any token has a gradient in (twice the same weights?)"
BY_POSITION = "method positionwise forms no token gradient; what it gives is in positionwise"
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
    found = GradientInterference(
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
        reasons=_reasons(first_order, loss_change, sets, moves),
        parameters=sets.parameters,
        layers=sets.layers,
        seconds=plan.seconds,
        notes=tuple(one for one in (plan.note, *whole.notes, _rounding(sets.total.rounding), _thin(sets)) if one),
        per_token=per_token,
    )
    return _as_proxy(found) if plan.method == "positionwise" else found


def _rounding(coordinates: int) -> str:
    if not coordinates:
        return ""
    return f"{coordinates:,} coordinates have gradients of rounding alone and count as untouched"


def _thin(sets: Sets) -> str:
    if not sets.thin:
        return ""
    of = sum(one.sums.touched for one in sets.parameters)
    return (
        f"{sets.thin:,} of {of:,} coordinates of D_grad have gradients of too few tokens in the sample (position "
        "embeddings, units seldom in use): anything from 0 to 1, as intervals say"
    )


def _as_proxy(found: GradientInterference) -> GradientInterference:
    """The same with all that is read off sum_i |g_ij| under the proxy's own name, and not as token gradients."""
    sets = map(_without_C_ug, (found.parameters, found.layers))
    names = ("D_grad", "D_grad_matrices", "C_g", "C_ug")
    why = found.reasons | dict.fromkeys((*names, *(f"interval {name}" for name in names)), BY_POSITION)
    return replace(
        found,
        n_sampled=0,
        D_grad=nan,
        D_grad_matrices=nan,
        C_g=nan,
        C_ug=nan,
        reasons=why,
        parameters=(),
        layers=(),
        proxy=Proxy(found.D_grad, found.D_grad_matrices, found.C_g, *sets),
    )


def _without_C_ug(sets: tuple[ParameterSet, ...]) -> tuple[ParameterSet, ...]:
    return tuple(replace(one, C_ug=nan) for one in sets)


def _per_token(whole: Share, losses: Float32[np.ndarray, "S T"], updated: bool) -> dict[str, Float[np.ndarray, "S T"]]:
    def of(name: str) -> Float[np.ndarray, "S T"]:
        return whole.in_place(name, len(losses))

    before = losses.astype(np.float64)
    found = {"loss": before, "norm_l1": of("l1"), "norm_l2": np.sqrt(of("l2_squared"))}
    if updated:
        found |= {"first_order": of("first_order"), "loss_change": of("loss_after") - before, "moved": of("moved")}
    return found


def _intervals(
    sets: Sets, moves: bool, absolute: float, first_order: Interference | None, loss_change: Interference | None
) -> dict[str, Ends]:
    ends = {name: one for name, one in sets.intervals.items() if one is not None}
    if moves and sets.mass_interval is not None:
        low, high = sets.mass_interval
        ends |= {"C_g": (sets.total.net / high, sets.total.net / low), "C_ug": (absolute / high, absolute / low)}
    for name, found in (("first_order", first_order), ("loss", loss_change)):
        if found is not None and found.interval is not None:
            ends |= {f"D_{name}": found.interval.D, f"M_{name}": found.interval.M}
    return ends


def _reasons(
    first_order: Interference | None, loss_change: Interference | None, sets: Sets, moves: bool
) -> dict[str, str]:
    """Why a number is NaN, or has no interval ("interval NAME")."""
    why = {name: UNTOUCHED for name in ("D_grad", "D_grad_matrices") if isnan(getattr(sets, name))}
    missing = NO_UPDATE if first_order is None else NO_MOVE
    if not moves:
        why |= dict.fromkeys((*OF_CHANGES, "C_g", "C_ug", "C_uG", "null", "null_unit", "excess"), missing)
    in_sample = sets.mass_interval is not None or any(sets.intervals.values())
    exact = EXACT if not in_sample else "the sample gives none here"
    why |= {f"interval {name}": exact for name in ("D_grad", "D_grad_matrices")}
    why |= {f"interval {name}": exact if moves else missing for name in ("C_g", "C_ug")}
    why["interval C_uG"] = EXACT if moves else missing
    for name, found in (("first_order", first_order), ("loss", loss_change)):
        reason = missing if found is None else found.interval_reason
        if found is not None and "D" in found.reasons:
            why.setdefault(f"D_{name}", found.reasons["D"])
        why |= {f"interval {letter}_{name}": reason or "not given" for letter in "DM"}
    return why
