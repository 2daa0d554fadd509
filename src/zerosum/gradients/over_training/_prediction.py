"""How well first-order loss changes predict the real ones: correlation, slope, explained variance, and their bins.

Letters: x first-order and y real change of a token, nats; n tokens, U sequences or documents, B bins with E = B + 1
edges.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.gradients._result import GradientInterference

FEWEST_UNITS = 20
LEVEL = 0.95
METHOD = "jackknife: each unit left out in turn, Student's t"
PREDICTED = ("correlation", "slope", "explained", "line_explains", "same_sign")
LINEAR = 20.0  # largest change over the median one up to which axes stay linear


@dataclass(frozen=True, eq=False)
class TokenChanges:
    """first_order, loss_change: of the tokens of which both are known, nats.

    unit: which sequence or document, whichever `units` says, each token is from; None: not known.
    """

    first_order: Float[np.ndarray, " n"]
    loss_change: Float[np.ndarray, " n"]
    unit: Shaped[np.ndarray, " n"] | None = None
    units: str = "sequence"

    @classmethod
    def of(cls, first_order: Any, loss_change: Any, unit: Any = None, units: str = "sequence") -> "TokenChanges | None":
        """From arrays of one shape, [n] or [sequence, position], NaN where unknown; None where no token has both.

        unit: of that shape; None: the sequence.
        """
        x, y = (np.asarray(values, dtype=np.float64) for values in (first_order, loss_change))
        if x.shape != y.shape or x.ndim not in (1, 2):
            raise InputError(
                f"first_order {x.shape}, loss_change {y.shape}: not one pair for each token. Give arrays of one shape."
            )
        known = np.isfinite(x) & np.isfinite(y)
        if unit is None:
            of, units = (np.nonzero(known)[0] if x.ndim == 2 else None), "sequence"
        else:
            of = np.asarray(unit)[known]
        return cls(x[known], y[known], of, units) if known.any() else None


def changes_of(checkpoint: GradientInterference) -> TokenChanges | None:
    """Both changes of its tokens; None where no token has both, as without an update."""
    x, y = (checkpoint.per_token.get(name) for name in ("first_order", "loss_change"))
    if x is None or y is None:
        return None
    return TokenChanges.of(x, y, checkpoint.unit, checkpoint.units)


class _Moments(NamedTuple):
    """Totals of tokens: count, x, y, x², y², xy, (y - x)², and tokens whose changes have one sign."""

    n: Float[np.ndarray, "..."]
    x: Float[np.ndarray, "..."]
    y: Float[np.ndarray, "..."]
    xx: Float[np.ndarray, "..."]
    yy: Float[np.ndarray, "..."]
    xy: Float[np.ndarray, "..."]
    errors: Float[np.ndarray, "..."]
    same: Float[np.ndarray, "..."]


@dataclass(frozen=True)
class Prediction:
    """How well x predicts y over N tokens, with 95 % jackknife intervals over sequences or documents.

    correlation: of x and y. slope: of the least-squares line of y on x, 1 where y = x. explained: share of the variance
    of y that x explains as it stands, 1 - sum (y - x)² / sum (y - mean y)²; below 0 where the mean of y would have been
    the better prediction. line_explains: the same by that line, correlation². same_sign: share of tokens of which x and
    y have the same sign. NaN where all x or all y are equal.
    """

    N: int
    correlation: Estimate
    slope: Estimate
    explained: Estimate
    line_explains: Estimate
    same_sign: Estimate


def prediction(changes: TokenChanges) -> Prediction:
    """See `Prediction`. Intervals: delete-one-unit jackknife, Student's t, on scales without ends."""
    units = _by_unit(changes)
    total = _Moments(*(np.asarray(moment.sum()) for moment in units))
    values = {name: float(value) for name, value in _values(total).items()}
    N, why = len(changes.first_order), _no_interval(changes, len(units.n))
    if why or not all(map(math.isfinite, values.values())):
        why = why or "all changes are equal"
        return Prediction(N, **{name: _estimate(value, N, None, why) for name, value in values.items()})
    without = _values(_Moments(*(whole - unit for whole, unit in zip(total, units, strict=True))))
    return Prediction(N, **{name: _jackknife(name, value, without[name], N) for name, value in values.items()})


def _estimate(value: float, N: int, ends: tuple[float, float] | None, why: str = "") -> Estimate:
    return Estimate(value, ends, why, N, "tokens", level=LEVEL, method=METHOD if ends else "")


def _by_unit(changes: TokenChanges) -> _Moments:
    """Totals of each unit; of all tokens in one where units are not known. x and y about their means."""
    x, y = changes.first_order, changes.loss_change
    dx, dy = x - x.mean(), y - y.mean()
    columns = (np.ones_like(x), dx, dy, dx**2, dy**2, dx * dy, (y - x) ** 2, (np.sign(x) == np.sign(y)) * 1.0)
    if changes.unit is None:
        return _Moments(*(np.array([column.sum()]) for column in columns))
    _, unit = np.unique(changes.unit, return_inverse=True)
    return _Moments(*(np.bincount(unit, weights=column) for column in columns))


def _values(m: _Moments) -> dict[str, Float[np.ndarray, "..."]]:
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xy = m.xx - m.x**2 / m.n, m.yy - m.y**2 / m.n, m.xy - m.x * m.y / m.n
        correlation = xy / np.sqrt(x * y)
        values = {"correlation": correlation, "slope": xy / x, "explained": 1 - m.errors / y}
        values |= {"line_explains": correlation**2, "same_sign": m.same / m.n}
    return {name: np.where(np.isfinite(value), value, np.nan) for name, value in values.items()}


def _no_interval(changes: TokenChanges, n_units: int) -> str:
    if changes.unit is None:
        return "which sequence a token is from is not known"
    return f"{n_units} {changes.units}s; an interval needs at least {FEWEST_UNITS}" if n_units < FEWEST_UNITS else ""


_Map = Callable[[Any], Any]
_SCALES: dict[str, tuple[_Map, _Map]] = {
    "correlation": (np.arctanh, np.tanh),
    "slope": (lambda v: v, lambda v: v),
    "explained": (lambda v: -np.log(1 - v), lambda v: 1 - np.exp(-v)),
    "line_explains": (lambda v: np.arctanh(np.sqrt(v)), lambda v: np.tanh(np.maximum(v, 0)) ** 2),
    "same_sign": (lambda v: np.log(v / (1 - v)), lambda v: 1 / (1 + np.exp(-v))),
}


def _jackknife(name: str, value: float, without: Float[np.ndarray, " U"], N: int) -> Estimate:
    """A value with its interval, from what it is without each unit."""
    from scipy.special import stdtrit

    there, back = _SCALES[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, others = there(np.asarray(value)), there(without)
    if not (np.isfinite(centre) and np.isfinite(others).all()):
        return _estimate(value, N, None, "at the end of its range")
    U = len(others)
    error = math.sqrt((U - 1) / U * float(((others - others.mean()) ** 2).sum()))
    reach = float(stdtrit(U - 1, (1 + LEVEL) / 2)) * error
    return _estimate(value, N, (float(back(centre - reach)), float(back(centre + reach))))


@dataclass(frozen=True, eq=False)
class Bins:
    """Tokens by both changes. edges: nats, of both axes. count: [x bin, y bin]. width: of the linear part around 0 on
    axes that are logarithmic further out, nats; None where they are linear throughout."""

    edges: Float[np.ndarray, " E"]
    count: Int[np.ndarray, "B B"]
    width: float | None


def binned(changes: TokenChanges, bins: int) -> Bins:
    """Square bins, evenly spread on the axis, symmetric about 0, that hold every token."""
    x, y = changes.first_order, changes.loss_change
    size = np.abs(np.concatenate([x, y]))
    most = float(size.max()) or 1.0
    width = float(np.median(size[size > 0])) if size.any() else 1.0
    if most <= LINEAR * width:
        edges, linear = np.linspace(-most, most, bins + 1), None
    else:
        end = math.asinh(most / width)
        edges, linear = width * np.sinh(np.linspace(-end, end, bins + 1)), width
    edges[0], edges[-1] = -most, most  # sinh(asinh) may end a rounding short
    count, _, _ = np.histogram2d(x, y, (edges, edges))
    return Bins(edges, count.astype(np.int64), linear)
