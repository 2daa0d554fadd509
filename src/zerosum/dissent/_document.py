"""Dissent as plain Python for JSON: full precision, null with a reason where there is no number."""

from collections.abc import Mapping
from typing import Any

from zerosum.dissent._forces import ForceProducts
from zerosum.dissent._record import ONE_VECTOR, Dissent, PartForces, Spread
from zerosum.estimate import numbers_or_reasons

NO_FORCE = "attraction or repulsion is 0 here, but for rounding"
Said = dict[str, Any]


def document(found: Dissent) -> Said:
    """Forces are nats per unit of the hidden state, of the head's rows, or of the parameters."""
    said: Said = {"N": found.N, "n_sequences": found.n_sequences, "seed": found.seed}
    said |= {"units": found.units, "n_units": found.n_units}
    said |= {"loss": _spread(found.loss), "token": _spreads(found.token)}
    said |= _whole("head", found.head, found.reasons)
    if found.head is not None:
        said["head"] |= {"n_unlabelled": found.n_unlabelled, "rows": _spreads(found.rows)}
    said |= _whole("body", found.body, found.reasons)
    said |= {"parameters": [_part(one) for one in found.parameters], "layers": [_part(one) for one in found.layers]}
    said["frequency"] = [
        {"label_count": one.name, "n_labels": one.n_labels, "token": _spreads(one.token), "rows": _spreads(one.rows)}
        for one in found.frequency
    ]
    return said | {"level": 0.95, "notes": list(found.notes)}


def _spreads(found: Mapping[str, Spread]) -> Said:
    return {name: _spread(one) for name, one in found.items()}


def _spread(one: Spread) -> Said:
    said = numbers_or_reasons({"mean": one.mean}, {"mean": NO_FORCE})
    said["interval"] = None if one.interval is None else list(one.interval)
    said |= {} if one.interval is not None else {"interval_reason": one.reason or "not given"}
    quantiles: Said = {f"{percent}%": value for percent, value in one.quantiles.items()}
    return said | {"quantiles": quantiles, "N": one.N, "left_out": one.left_out}


def _whole(name: str, forces: ForceProducts | None, reasons: Mapping[str, str]) -> Said:
    if forces is None:
        return {name: None, f"{name}_reason": reasons[name]}
    return {name: _forces(forces) | {"interval": None, "interval_reason": ONE_VECTOR}}


def _part(one: PartForces) -> Said:
    return {"name": one.name, "kind": one.kind} | _forces(one.forces)


def _forces(forces: ForceProducts) -> Said:
    values = {name: getattr(forces, name) for name in ("dissent", "magnitude_ratio", "cancellation")}
    norms = {"norm_attraction": forces.attraction**0.5, "norm_repulsion": forces.repulsion**0.5}
    return numbers_or_reasons(values, dict.fromkeys(values, NO_FORCE)) | norms | {"numel": forces.numel}
