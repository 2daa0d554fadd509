"""Units of the loss column: nats per token are taken, other units are converted where stated and refused otherwise."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from zerosum.curves.units import CHANCE
from zerosum.errors import InputError
from zerosum.scaling.columns import Rows, plain
from zerosum.scaling.reason import Reason

NATS = "nats"
TO_NATS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    NATS: lambda loss: loss,
    "bits": lambda loss: loss * math.log(2),
    "log10": lambda loss: loss * math.log(10),
    "perplexity": np.log,
}
PER_BYTE = "per byte, character or word"
# Parts of a column's name, or of a stated unit, in the order in which they are looked for: log10_ppl is log10.
_PARTS = {
    PER_BYTE: ("perbyte", "perchar", "perword", "bpb", "bpc", "bpw"),
    "log10": ("log10", "base10"),
    "bits": ("log2", "base2"),
    NATS: ("logppl", "logperplexity", "lnppl", "lnperplexity"),
    "perplexity": ("perplexity", "ppl", "exploss"),
}
_BY_NAME = (*((part, unit) for unit, parts in _PARTS.items() for part in parts), ("bits", "bits"), ("nats", NATS))


def unit_by_name(column: str) -> str | None:
    """The unit that a column's name states; None where it states none.

    >>> unit_by_name("val_ppl"), unit_by_name("loss"), unit_by_name("loss (bits)"), unit_by_name("log_ppl")
    ('perplexity', None, 'bits', 'nats')
    """
    text = plain(column.replace("/", " per "))
    return next((unit for part, unit in _BY_NAME if part in text), None)


def stated_unit(rows: Rows, loss_column: str, unit_column: str | None, given: str | None, source: str) -> str | None:
    """The unit of the losses: as given by the caller, in a column of units, or in the loss column's name.

    Raises InputError where two of these disagree, rows differ, or the unit is none of `TO_NATS`.
    """
    by_rows = None
    if unit_column is not None:
        units = [str(row.get(unit_column)).strip() for row in rows]
        meant = [unit_by_name(unit) or plain(unit) for unit in units]
        if odd := next((k for k, unit in enumerate(meant) if unit != meant[0]), None):
            raise InputError(
                f"{source}: row {odd + 1}: the loss is in {units[odd]!r}, in row 1 in {units[0]!r}. Use one unit."
            )
        by_rows = meant[0]
    by_call = None if given is None else unit_by_name(given) or given
    stated = {unit for unit in (by_call, by_rows, unit_by_name(loss_column)) if unit is not None}
    if len(stated) > 1:
        raise InputError(
            f"{source}: row 1: the unit of {loss_column!r} is stated as {' and as '.join(sorted(stated))}. State one."
        )
    unit = stated.pop() if stated else None
    if unit is not None and unit not in TO_NATS:
        raise InputError(
            f"{source}: row 1: {loss_column!r} is in {unit[:40]!r}, which is not nats per token. "
            f"Give a loss per token in one of {', '.join(TO_NATS)}."
        )
    return unit


def in_nats(
    loss: Float[np.ndarray, " n"], unit: str | None, column: str, source: str
) -> tuple[Float[np.ndarray, " n"], Reason | None]:
    """Losses in nats per token, and a note on what was converted or assumed.

    Raises InputError where a loss cannot be in the unit: a perplexity up to 1, or nats above the cost of a guess among
    a million tokens.
    """
    nats = TO_NATS[unit or NATS](loss)
    for k in np.flatnonzero((nats <= 0) | (nats > CHANCE))[:1]:
        high = bool(nats[k] > CHANCE)
        why = f"above {CHANCE:.1f} nats, a guess among a million tokens" if high else "not above 0 nats"
        advice = " A perplexity? State loss_unit='perplexity'." if high and unit is None else " Correct it or its unit."
        raise InputError(
            f"{source}: row {k + 1}: {column} is {loss[k]:.6g} ({unit or 'taken as nats'}), {why}.{advice}"
        )
    if unit is None:
        return nats, Reason("loss-unit-assumed", "note", f"{column!r} states no unit: taken as nats per token")
    if unit == NATS:
        return nats, None
    return nats, Reason("loss-converted", "note", f"{column!r} was converted from {unit} to nats per token")
