"""How much of the cancelled movement is the same for every order of the data, from branches of one checkpoint.

Token i changes by `x_bi = s_i + e_bi` in branch b: s is shared by all orders of the data, e is the noise of the order,
independent between branches, with mean 0. `M_k` is the mean size of a change after averaging k branches, averaged over
the sets of k, and `K_k = M_k - |delta_L|` the movement that still cancels, with delta_L of the mean of all branches.

    systematic share = K_inf / K_1,   K_inf = mean |s| - |delta_L|

It is 0 where all movement is noise around a minimum (s = 0) and 1 where the noise is 0.

mean |s| lies between the expectations of two statistics:
`A_k` <= mean |s| <= `M_k`, where `A_k` is the mean of `x_b sign(mean of k others)`. Its noise is independent of the
sign, so `A_k = mean s E[sign]`, which is exactly 0 where s = 0. A second upper bound is sqrt(mean s^2), from products
of two branches. The interval goes from the lower limit of `A_(B-1)` to the upper limit of the smaller upper bound,
each at half the error of the level. A limit holds the error over units and two errors over branches, in quadrature
(see `_branch_errors`): noise of the order lies in a few directions of the weights that all tokens share, so more units
do not average it out. Each contains the noise that is independent between units, so intervals are mostly too wide.
Two branches show no error over branches, and have no intervals.
The value is A_k extrapolated to infinitely many branches: where the density of s is smooth near 0, or s is exactly 0,
`A_k = mean |s| - b/k + O(1/k^2)`.

Letters: B branches or bootstrap draws, N tokens, U units, K sums of a unit, k branches that are averaged.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.interference._array import as_float64
from zerosum.interference._bootstrap import DRAWS, FEWEST_UNITS, bootstrap_t
from zerosum.interference._branch_errors import errors_over_branches, noise_directions
from zerosum.interference._branch_statistics import STATISTICS, columns
from zerosum.interference._branch_sums import BranchSums
from zerosum.interference._interval import too_few_units
from zerosum.record import Record

_NO_MOVEMENT = "no token changed"
_NO_HARM = "no token got worse"
_CONSTANT = "all tokens of a branch changed equally"
LEAST_CANCELLED = 0.01  # of all movement
_NOTHING_CANCELS = "less than 1 % of the movement cancels, so that no share of it can be systematic"
_MAYBE_NOISE = "all movement may be noise, and then nothing is left to cancel"
_TWO = "two branches do not show the error over branches: give three or more"
FEWEST_DIRECTIONS = 5.0  # of the noise, for an interval of `harm_in_all`
_FEW_DIRECTIONS = (
    "few-noise-directions: the noise lies in so few directions that their signs decide which tokens get worse"
)


@dataclass(frozen=True, repr=False)
class BranchAgreement(Record):
    """What branches of one checkpoint have in common, on the same N tokens.

    systematic_share: share of the cancelled movement that every order of the data has, in [0, 1]; see the module.
    D_inf: D of infinitely many branches averaged, `1 - |delta_L| / mean |s|`; not given where all may be noise.
    correlation: of the changes of two branches over tokens, pooled over pairs. Each branch's mean change is taken out,
    so it is also the systematic share of the variance, which needs no extrapolation.
    correlations: of each pair of branches, in the order (1,2), (1,3), ...
    harm_in_all: share of all harmful movement on tokens that get worse in every branch; harm_by_chance: what it would
    be if the branches were independent of each other, at their own shares of tokens that get worse.
    noise_directions: of the weights, in which the noise of the order lies, see `_branch_errors.noise_directions`.
    M_k, A_k: nats per token, for k = 1, 2, ... averaged branches, see the module; delta_L: of the mean of all branches.
    """

    systematic_share: Estimate
    D_inf: Estimate
    correlation: Estimate
    harm_in_all: Estimate
    harm_by_chance: float
    noise_directions: float
    correlations: tuple[float, ...]
    M_k: tuple[float, ...]
    A_k: tuple[float, ...]
    delta_L: float
    N: int
    n_units: int

    @property
    def D_k(self) -> tuple[float, ...]:
        """D of the mean of k branches, for k = 1, 2, ...: `1 - |delta_L| / M_k`."""
        return tuple(1.0 - abs(self.delta_L) / size if size > 0 else math.nan for size in self.M_k)


def branch_agreement(
    x: Any, unit: Any = None, where: Any = None, *, level: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> BranchAgreement:
    """What branches of one checkpoint have in common.

    x: [branch, ...] signed changes of the same tokens (nats for losses). unit, where: of one branch, as in
    `InterferenceSums.of`. A token with NaN in any branch is left out. level, draws, seed: of the bootstrap.
    Raises InputError for fewer than two branches, for infinite changes, or where no token is left.

    >>> rng = np.random.default_rng(0)
    >>> systematic, noise = rng.normal(size=(50, 40)), rng.normal(size=(4, 50, 40))
    >>> found = branch_agreement(systematic + 0.5 * noise)
    >>> round(found.correlation.value, 2), round(found.systematic_share.value, 2)
    (0.8, 0.89)
    """
    values, units = _tokens(as_float64(x), unit, where)
    sums = BranchSums.of(values, units)
    answer = _Answers(sums, values, level, draws, seed)
    return BranchAgreement(
        systematic_share=answer.systematic_share(),
        D_inf=answer.D_inf(),
        correlation=answer.of("correlation", (-1.0, 1.0), _CONSTANT),
        harm_in_all=answer.harm_in_all(),
        harm_by_chance=_harm_by_chance(sums),
        noise_directions=answer.directions,
        correlations=_pair_correlations(values),
        M_k=_means(sums, sums.moved),
        A_k=_means(sums, sums.aligned),
        delta_L=float(sums.net.mean(1).sum() / sums.count.sum()),
        N=values.shape[1],
        n_units=len(sums.count),
    )


def _tokens(x: Float[np.ndarray, "B ..."], unit: Any, where: Any) -> tuple[np.ndarray, np.ndarray]:
    """The changes that are known in every branch, [B, N], and the unit of each."""
    if x.ndim < 2 or len(x) < 2:
        n = len(x) if x.ndim > 1 else 1
        raise InputError(f"{n} branch: nothing to compare it with. Give at least 2, each with the same tokens.")
    shape = x.shape[1:]
    unit = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)) if unit is None else np.asarray(unit)
    keep = np.broadcast_to(True if where is None else np.asarray(where, dtype=bool), shape)
    keep = keep & ~np.isnan(x).any(0)
    values = x[:, keep]
    if not values.shape[1]:
        raise InputError("no token is measured in every branch: N is 0. Check the mask or the selection of tokens.")
    if not np.isfinite(values).all():
        raise InputError(f"{int((~np.isfinite(values)).sum())} changes are not finite. Leave them out with where=.")
    return values, np.broadcast_to(unit, shape)[keep]


class _Answers:
    """The estimates from one set of sums, and from the changes x that they sum up."""

    def __init__(self, sums: BranchSums, x: Float[np.ndarray, "B N"], level: float, draws: int, seed: int):
        self.sums, self.level, self.draws, self.seed = sums, level, draws, seed
        self.directions = noise_directions(x)
        total = columns(sums).sum(0)
        self.net, self.moved = abs(float(total[1])), float(total[2])
        n_units = len(sums.count)
        self.no_ends = _TWO if len(x) < 3 else too_few_units(n_units) if n_units < FEWEST_UNITS else ""
        with np.errstate(divide="ignore", invalid="ignore"):  # a ratio that is 0 / 0 has a reason instead
            self.values = {name: float(statistic(total[None])[0][0]) for name, statistic in STATISTICS.items()}
            ends = [] if self.no_ends else bootstrap_t(columns(sums), list(STATISTICS.values()), level, draws, seed)
        errors = {} if self.no_ends else errors_over_branches(x, level)
        limits = zip(STATISTICS, ends, strict=False)
        self.ends = {name: _widened(self.values[name], pair, errors[name]) for name, pair in limits}

    def estimate(self, value: float, ends: tuple[float, float] | None, reason: str = "") -> Estimate:
        """With N, and why a part of it is missing."""
        over = f"{self.draws:,} draws, seed {self.seed}; jackknife and size of the noise over branches"
        method = f"bootstrap-t over units, {over}" if ends else ""
        N, reason = int(self.sums.count.sum()), reason or ("" if ends else self.no_ends)
        return Estimate(value, ends, reason=reason, N=N, of="tokens", level=self.level, method=method)

    def of(self, name: str, whole: tuple[float, float], undefined: str) -> Estimate:
        """A statistic that is one number. whole: its range. undefined: the reason where it is 0 / 0."""
        value = self.values[name]
        if not math.isfinite(value):
            return self.estimate(math.nan, None, undefined if self.moved else _NO_MOVEMENT)
        low, high = self.ends.get(name, whole)
        return self.estimate(value, None if self.no_ends else (max(low, whole[0]), min(high, whole[1])))

    def harm_in_all(self) -> Estimate:
        """Without interval where the noise has few directions: the value is then 0 in most sets of branches."""
        estimate = self.of("harm_in_all", (0.0, 1.0), _NO_HARM)
        if estimate.interval and self.directions < FEWEST_DIRECTIONS:
            return self.estimate(estimate.value, None, _FEW_DIRECTIONS)
        return estimate

    def systematic_share(self) -> Estimate:
        """K_inf / K_1 with its bounds."""
        if not self.moved - self.net > LEAST_CANCELLED * self.moved:
            return self.estimate(math.nan, None, _NOTHING_CANCELS if self.moved else _NO_MOVEMENT)
        size = self._size()
        value = math.nan if size is None else _clipped((size - self.net) / (self.moved - self.net))
        if self.no_ends:
            return self.estimate(value, None)
        low = self.ends["share_aligned"][0] if self.ends["cancelled_shared"][0] > 0 else 0.0
        return self.estimate(value, (_clipped(low), _clipped(self._highest_share())))

    def _highest_share(self) -> float:
        """Upper limit: of the smaller of the two upper bounds."""
        square = self.ends["mean_square"]
        if square[0] > 0:
            return self.ends[min("share_moved", "share_root", key=self.values.__getitem__)][1]
        root = math.sqrt(max(square[1], 0.0)) * self.sums.count.sum()  # no linear form near 0
        return min(self.ends["share_moved"][1], float((root - self.net) / (self.moved - self.net)))

    def D_inf(self) -> Estimate:
        """D of what all orders of the data share, with its bounds."""
        size = self._size()
        if self.no_ends:
            return self.estimate(_clipped(1.0 - self.net / size) if size else math.nan, None)
        if not self.moved or self.ends["mean_shared"][0] <= 0:
            return self.estimate(math.nan, None, _MAYBE_NOISE if self.moved else _NO_MOVEMENT)
        value = _clipped(1.0 - self.net / size) if size else math.nan
        return self.estimate(value, (_clipped(self.ends["D_aligned"][0]), _clipped(self.ends["D_moved"][1])))

    def _size(self) -> float | None:
        """Sum of |s|: A_k extrapolated to infinitely many branches, between A_(B-1) and M_B; None for two branches.

        Least squares in 1/k: a line through A_1 and A_2 for three branches, else a parabola over k >= B/4.
        """
        aligned = self.sums.aligned.sum(0)
        n_branches = len(aligned) + 1
        if n_branches < 3:
            return None
        k = np.arange(1, n_branches)
        used = k >= n_branches / 4
        fit = np.polynomial.polynomial.polyfit(1.0 / k[used], aligned[used], 1 if n_branches == 3 else 2)
        return float(min(max(fit[0], aligned[-1]), self.sums.moved[:, -1].sum()))


def _widened(value: float, limits: tuple[float, float], errors: tuple[float, float]) -> tuple[float, float]:
    """Limits over units, with the errors over branches in quadrature."""
    below, above = max(value - limits[0], 0.0), max(limits[1] - value, 0.0)
    return value - math.hypot(below, errors[0]), value + math.hypot(above, errors[1])


def _clipped(share: float) -> float:
    return min(max(float(share), 0.0), 1.0)


def _means(sums: BranchSums, columns: Float[np.ndarray, "U K"]) -> tuple[float, ...]:
    return tuple(map(float, columns.sum(0) / sums.count.sum()))


def _harm_by_chance(sums: BranchSums) -> float:
    """Expected `harm_in_all` if the tokens of each branch were in an order of their own."""
    harm, rising = sums.harm.sum(0), sums.rises.sum(0) / sums.count.sum()
    if not harm.sum() > 0:
        return math.nan
    others = [float(np.delete(rising, branch).prod()) for branch in range(len(rising))]
    return float((harm * others).sum() / harm.sum())


def _pair_correlations(x: Float[np.ndarray, "B N"]) -> tuple[float, ...]:
    with np.errstate(invalid="ignore", divide="ignore"):  # a branch without variance: NaN
        matrix = np.corrcoef(x)
    return tuple(float(matrix[pair]) for pair in zip(*np.triu_indices(len(x), 1), strict=True))
