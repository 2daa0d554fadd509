"""Rows that contradict each other: N or D in another unit, D mixed with C/6N, duplicates."""

import numpy as np
from jaxtyping import Bool, Float

from zerosum.errors import InputError
from zerosum.scaling.reason import Reason

FEWEST_PARAMETERS, FEWEST_TOKENS = 1_000, 10_000  # fewer is a count in millions or billions
FLOPS = 6  # C = 6 N D
EXACT, OFF = 1e-5, 0.02  # relative; D computed from C agrees within rounding, FLOPs counted otherwise differ by more
MIXED = 1e3  # tokens per parameter of a row, against the median of the others: N in another unit than theirs


def refuse_other_scales(N: Float[np.ndarray, " n"], D: Float[np.ndarray, " n"], source: str) -> None:
    """Raise InputError where N or D of a row is in thousands, millions or billions."""
    for name, values, fewest, example in (("N", N, FEWEST_PARAMETERS, "410M"), ("D", D, FEWEST_TOKENS, "300B")):
        for k in np.flatnonzero(values < fewest)[:1]:
            others = values[values >= fewest]
            beside = f" beside {others.max():.4g} in another row" if len(others) else ""
            what = "parameters" if name == "N" else "tokens"
            raise InputError(
                f"{source}: row {k + 1}: {name} is {values[k]:g}{beside}, too few {what} (in millions or billions?). "
                f"Write the count, or for example {example}."
            )
    per_parameter = D / N
    plain = N >= 1e6
    for k in np.flatnonzero(~plain)[:1] if plain.any() else ():
        if per_parameter[k] > MIXED * np.median(per_parameter[plain]) and N[k] * 1e6 <= 1e13:
            raise InputError(
                f"{source}: row {k + 1}: N is {N[k]:g} beside {N.max():.4g} in another row, for as many tokens (in "
                f"millions?). Write the count of parameters in every row."
            )


def tokens_of(
    N: Float[np.ndarray, " n"], D: Float[np.ndarray, " n"], C: Float[np.ndarray, " n"], source: str
) -> tuple[Float[np.ndarray, " n"], Reason | None]:
    """D of every row, from C/6N where no row has D; D or C are NaN where a row lacks them.

    Raises InputError where D is C/6N for some rows only, or a row has neither.
    """
    from_C = C / (FLOPS * N)
    lacks, both = np.isnan(D), np.isfinite(D) & np.isfinite(C)
    for k in np.flatnonzero(lacks & np.isnan(C))[:1]:
        raise InputError(f"{source}: row {k + 1}: has neither D nor C. Give the training tokens D of every row.")
    difference = np.abs(from_C / np.where(lacks, from_C, D) - 1)
    exact: Bool[np.ndarray, " n"] = both & (difference <= EXACT)
    off = both & (difference > OFF)
    if lacks.all():
        return from_C, Reason("D-from-C", "note", "no row has D: it is C/6N in every row")
    if lacks.any() and not (both.any() and bool((difference[both] <= OFF).all())):
        k = int(np.flatnonzero(lacks)[0])
        raise InputError(
            f"{source}: row {k + 1}: D is missing and would be C/6N = {from_C[k]:.4g}, while other rows have a D of "
            "their own. Give D in every row, or in none."
        )
    if exact.any() and off.any():
        k, other = int(np.flatnonzero(exact)[0]), int(np.flatnonzero(off)[0])
        raise InputError(
            f"{source}: row {k + 1}: D is C/6N, but in row {other + 1} it is {D[other] / from_C[other]:.3g} times "
            "C/6N. Give the tokens in every row, or leave D out."
        )
    if lacks.any():
        return np.where(lacks, from_C, D), Reason("D-from-C", "note", f"D of {lacks.sum()} rows is C/6N, as elsewhere")
    return D, None


def refuse_loss_outside(
    loss: Float[np.ndarray, " n"], low: Float[np.ndarray, " n"], high: Float[np.ndarray, " n"], source: str
) -> None:
    """Raise InputError where a loss lies outside its own interval; ends are NaN where not given."""
    for k in np.flatnonzero((loss < low) | (loss > high))[:1]:
        raise InputError(
            f"{source}: row {k + 1}: the loss {loss[k]:.6g} lies outside its interval from {low[k]:.6g} to "
            f"{high[k]:.6g} (nats). Correct the row, or leave out the columns of the interval."
        )


def refuse_duplicates(
    run: tuple[str, ...] | None,
    N: Float[np.ndarray, " n"],
    D: Float[np.ndarray, " n"],
    loss: Float[np.ndarray, " n"],
    source: str,
) -> None:
    """Raise InputError where a row repeats another (the same N, D and loss), or a run contradicts itself.

    A run contradicts itself with two losses at one D, or with two sizes.
    """
    seen: dict[tuple[float, float, float], int] = {}
    of_run: dict[tuple[str, float], int] = {}
    size: dict[str, int] = {}
    for k, row in enumerate(zip(N.tolist(), D.tolist(), loss.tolist(), strict=True)):
        if row in seen:
            what = "a run listed twice?" if run and run[k] != run[seen[row]] else "a duplicate?"
            raise InputError(f"{source}: row {k + 1} repeats N, D and loss of row {seen[row] + 1} ({what}). Remove it.")
        seen[row] = k
        if run is None:
            continue
        first = of_run.setdefault((run[k], row[1]), k)
        if first != k:
            raise InputError(
                f"{source}: row {k + 1}: run {run[k][:60]!r} has another loss at the same D in row {first + 1}. Remove "
                "one of them, or give seeds names of their own."
            )
        first = size.setdefault(run[k], k)
        if N[first] != row[0]:
            raise InputError(
                f"{source}: row {k + 1}: run {run[k][:60]!r} has N {row[0]:.6g}, in row {first + 1} {N[first]:.6g}. "
                "Give each run one N and a name of its own."
            )
