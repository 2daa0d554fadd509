"""How well first-order loss changes predict the real ones: correlation, slope, explained variance, and their bins.

Letters: x first-order and y real change of a token, nats; n tokens, U sequences or documents, B bins with E = B + 1
edges.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from zerosum.show.gradients.subject import Changes, Number

FEWEST_UNITS = 20
LEVEL = 0.95
LINEAR = 20.0  # largest change over the median one up to which axes stay linear


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
    correlation: Number
    slope: Number
    explained: Number
    line_explains: Number
    same_sign: Number


def prediction(changes: Changes) -> Prediction:
    """See `Prediction`. Intervals: delete-one-unit jackknife, Student's t, on scales without ends."""
    units = _by_unit(changes)
    total = _Moments(*(np.asarray(one.sum()) for one in units))
    values = {name: float(one) for name, one in _values(total).items()}
    why = _no_interval(changes, len(units.n))
    if why or not all(map(math.isfinite, values.values())):
        why = why or "all changes are equal"
        found = {name: Number(value, None, why) for name, value in values.items()}
    else:
        without = _values(_Moments(*(whole - one for whole, one in zip(total, units, strict=True))))
        found = {name: _jackknife(name, value, without[name]) for name, value in values.items()}
    return Prediction(N=len(changes.first_order), **found)


def _by_unit(changes: Changes) -> _Moments:
    """Totals of each unit; of all tokens in one where units are not known. x and y about their means."""
    x, y = changes.first_order, changes.loss_change
    dx, dy = x - x.mean(), y - y.mean()
    columns = (np.ones_like(x), dx, dy, dx**2, dy**2, dx * dy, (y - x) ** 2, (np.sign(x) == np.sign(y)) * 1.0)
    if changes.unit is None:
        return _Moments(*(np.array([one.sum()]) for one in columns))
    _, unit = np.unique(changes.unit, return_inverse=True)
    return _Moments(*(np.bincount(unit, weights=one) for one in columns))


def _values(m: _Moments) -> dict[str, Float[np.ndarray, "..."]]:
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xy = m.xx - m.x**2 / m.n, m.yy - m.y**2 / m.n, m.xy - m.x * m.y / m.n
        correlation = xy / np.sqrt(x * y)
        found = {"correlation": correlation, "slope": xy / x, "explained": 1 - m.errors / y}
        found |= {"line_explains": correlation**2, "same_sign": m.same / m.n}
    return {name: np.where(np.isfinite(one), one, np.nan) for name, one in found.items()}


def _no_interval(changes: Changes, n_units: int) -> str:
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


def _jackknife(name: str, value: float, without: Float[np.ndarray, " U"]) -> Number:
    """A value with its interval, from what it is without each unit."""
    there, back = _SCALES[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, others = there(np.asarray(value)), there(without)
    if not (np.isfinite(centre) and np.isfinite(others).all()):
        return Number(value, None, "at the end of what it can be")
    U = len(others)
    error = math.sqrt((U - 1) / U * float(((others - others.mean()) ** 2).sum()))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, U - 1)) * error
    return Number(value, (float(back(centre - reach)), float(back(centre + reach))))


@dataclass(frozen=True, eq=False)
class Bins:
    """Tokens by both changes. edges: nats, of both axes. count: [x bin, y bin]. width: of the linear part around 0 on
    axes that are logarithmic further out, nats; None where they are linear throughout."""

    edges: Float[np.ndarray, " E"]
    count: Int[np.ndarray, "B B"]
    width: float | None


def binned(changes: Changes, bins: int) -> Bins:
    """Square bins, evenly spread on the axis, symmetric about 0, that hold every token."""
    x, y = changes.first_order, changes.loss_change
    size = np.abs(np.concatenate([x, y]))
    most = float(size.max()) or 1.0
    width = float(np.median(size[size > 0])) if size.any() else 1.0
    if most <= LINEAR * width:
        edges, kept = np.linspace(-most, most, bins + 1), None
    else:
        end = math.asinh(most / width)
        edges, kept = width * np.sinh(np.linspace(-end, end, bins + 1)), width
    edges[0], edges[-1] = -most, most  # sinh(asinh) may end a rounding short
    count, _, _ = np.histogram2d(x, y, (edges, edges))
    return Bins(edges, count.astype(np.int64), kept)
