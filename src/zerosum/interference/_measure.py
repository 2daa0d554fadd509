"""Interference of signed changes, or of their sums: one complete record."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from zerosum.errors import InputError
from zerosum.interference._array import as_float64
from zerosum.interference._bootstrap import DRAWS
from zerosum.interference._interval import interval, no_interval_reason
from zerosum.interference._null import SignDraws, abs_sum_over, gaussian_abs_sum
from zerosum.interference._record import Interference
from zerosum.interference._sums import InterferenceSums


def measure(x: Any, unit: Any = None, where: Any = None, *, level: float = 0.95, seed: int = 0) -> Interference:
    """Interference of signed changes x, with N, both nulls and an interval.

    x: signed changes (nats for losses), any shape. unit, where: as in `InterferenceSums.of`; by default each row of
    the first axis is one resampling unit. level: of the interval. seed: of the bootstrap and the Monte Carlo null.
    NaN, which stands where nothing is predicted, is left out and counted in `left_out`.
    Raises InputError for infinite changes, or where none is left.

    >>> rng = np.random.default_rng(0)
    >>> measured = measure(rng.normal(-0.5, 1.0, (100, 64)))
    >>> round(measured.R, 2), round(measured.D, 2), measured.N
    (-0.56, 0.44, 6400)
    """
    x = np.atleast_1d(as_float64(x))
    asked = np.broadcast_to(True if where is None else np.asarray(where, dtype=bool), x.shape)
    known = asked & ~np.isnan(x)
    measured = summarize(InterferenceSums.of(x, unit, known), x[known], level=level, seed=seed)
    return replace(measured, left_out=int(asked.sum() - known.sum()))


def summarize(
    sums: InterferenceSums,
    x: Float[np.ndarray, " N"] | None = None,
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interference:
    """The same record from merged sums; the token null is better than its Gaussian form only where x is given too.

    draws: bootstrap samples of the interval.
    """
    if sums.N == 0:
        raise InputError("no changes to measure: N is 0. Check the mask or the selection of tokens.")
    mass, square = float(sums.mass.sum()), float(sums.square.sum())
    why = {}
    if mass == 0:
        null = null_unit = float("nan")
        null_method = unit_method = "undefined"
        why = dict.fromkeys(("R", "D", "harmful_share", "null", "null_unit", "excess"), "every change is zero")
    else:
        signs = SignDraws(seed)
        by_token, null_method = gaussian_abs_sum(mass, square) if x is None else abs_sum_over(x, signs)
        by_unit, unit_method = abs_sum_over(sums.net, signs) if sums.net.any() else (0.0, "exact: every unit nets 0")
        null, null_unit = 1.0 - by_token / mass, 1.0 - by_unit / mass
    return Interference(
        R=sums.R,
        D=sums.D,
        M=sums.M,
        delta_L=sums.delta_L,
        harmful_share=sums.harmful_share,
        N=sums.N,
        null=null,
        null_method=null_method,
        null_unit=null_unit,
        null_unit_method=unit_method,
        excess=sums.D - null_unit,
        interval=interval(sums, level=level, draws=draws, seed=seed),
        interval_reason=no_interval_reason(sums),
        reasons=why,
    )


ChangeInD = Literal["rose", "fell", "overlap", "different-N", "no-interval"]


def change_in_D(a: Interference, b: Interference) -> ChangeInD:
    """How D changed from a to b: "rose" or "fell" where the intervals do not overlap, else why nothing is claimed.

    different-N: D grows with N by chance alone, so that the two cannot be compared.
    """
    if a.N != b.N:
        return "different-N"
    if a.interval is None or b.interval is None:
        return "no-interval"
    if a.interval.D[1] < b.interval.D[0]:
        return "rose"
    return "fell" if b.interval.D[1] < a.interval.D[0] else "overlap"


def difference_in_D(a: Interference, b: Interference) -> float:
    """D of b minus D of a, for measurements of the same number of tokens.

    Raises InputError where N differs: D grows with N by chance alone, so such a difference means nothing.
    """
    if a.N != b.N:
        raise InputError(
            f"N = {a.N} and N = {b.N}: D of different N is not comparable, it grows with N by chance alone. "
            "Measure both on the same number of tokens, or read each against its own null."
        )
    return b.D - a.D
