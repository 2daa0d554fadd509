"""Arms against a baseline, seed by seed: paired differences, and p values that hold for all arms together.

Arm and baseline share initial weights, batches and evaluation tokens, so their difference at each seed is compared with
0; intervals of the arms themselves say nothing about it. p: step-down max-|t| over joint sign flips of the seeds
(Romano and Wolf 2005): the arms share the baseline, and the sign of a seed is flipped in all arms at once. Pure arrays.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import nctdtr, stdtr, stdtrit

from zerosum.estimate import Estimate

Verdict = Literal["better", "worse", "no-difference", "diverges", "cannot-tell"]

ALPHA, POWER = 0.05, 0.8
MOST_EXACT = 14  # seeds whose sign flips are all counted; of more, a sample of 2^14
MOST_SEEDS = 1_000
FEW = 11  # seeds, up to which the few sign flips cost power; of more they have that of the t test
METHOD = "Student's t over paired seeds"


@dataclass(frozen=True)
class PairedDifference:
    """Arm minus baseline, one value for each seed at which both are known.

    mean: with Student's t interval over these seeds; no value where a run diverged, because the mean is infinite then.
    baseline: mean of its values at these seeds, NaN without any. sd: of the differences. p: of no difference, adjusted
    for all arms. correlation: of arm and baseline over seeds; the nearer to 1, the more pairing helps. n_diverged:
    seeds at which the arm's value is infinite; n_baseline_diverged: the baseline's. n_censored: seeds at which one of
    the two has no value. None of these is in `differences`.
    """

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: Estimate
    baseline: float
    sd: float
    p: float
    correlation: float
    n_diverged: int
    n_baseline_diverged: int
    n_censored: int

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.differences)

    def to_json(self) -> dict[str, Any]:
        """`{value, interval, N, unit, reason, baseline, p, n, censored, ...}`; null where there is no number."""
        numbers = {"baseline": self.baseline, "p": self.p, "sd": self.sd, "correlation": self.correlation}
        return {
            **self.mean.to_json(),
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "n": self.n,
            "censored": self.n_censored,
            "diverged": self.n_diverged,
            "baseline_diverged": self.n_baseline_diverged,
            "seeds": list(self.seeds),
            "differences": list(self.differences),
        }


def paired_differences(
    pairs: Mapping[str, tuple[Mapping[int, float], Mapping[int, float]]], unit: str = ""
) -> dict[str, PairedDifference]:
    """Every arm against the baseline, seed by seed, with p adjusted for all these arms.

    pairs: name -> (values of the baseline, values of the arm), each by seed; infinite where the run diverged, NaN or
    left out where the value is not known.
    """
    seeds = sorted({seed for both in pairs.values() for values in both for seed in values})
    rows = np.array([[_row(values, seeds) for values in both] for both in pairs.values()])
    rows = rows.reshape(len(pairs), 2, len(seeds))
    baseline, arm = rows[:, 0], rows[:, 1]
    finite = ~np.isinf(rows).any(axis=(1, 2))
    p = np.full(len(rows), math.nan)
    p[finite] = adjusted_p(arm[finite] - baseline[finite])
    return {name: _difference(arm[k], baseline[k], seeds, unit, float(p[k])) for k, name in enumerate(pairs)}


def _row(values: Mapping[int, float], seeds: Sequence[int]) -> list[float]:
    return [float(values.get(seed, math.nan)) for seed in seeds]


def _difference(
    arm: Float[np.ndarray, " n"], baseline: Float[np.ndarray, " n"], seeds: Sequence[int], unit: str, p: float
) -> PairedDifference:
    both = np.isfinite(arm) & np.isfinite(baseline)
    d, n = arm[both] - baseline[both], int(both.sum())
    diverged, of_baseline = int(np.isinf(arm).sum()), int(np.isinf(baseline).sum())
    mean, sd = float(d.mean()) if n else math.nan, float(d.std(ddof=1)) if n > 1 else math.nan
    if diverged or of_baseline:
        whose = f"{diverged} of {len(arm)} runs" if diverged else f"{of_baseline} runs of the baseline"
        estimate = Estimate(math.nan, reason=f"{whose} diverged", N=n, of="seeds", unit=unit)
    elif n < 2:
        reason = f"{n} of {len(arm)} seeds give it; an interval needs 2"
        estimate = Estimate(mean, reason=reason, N=n, of="seeds", unit=unit)
    else:
        half = half_width(sd, n, 1 - ALPHA)
        estimate = Estimate(mean, (mean - half, mean + half), N=n, of="seeds", unit=unit, method=METHOD)
    pairs = np.stack([arm[both], baseline[both]])
    varies = n > 2 and bool(np.all(np.ptp(pairs, axis=1) > 0))
    return PairedDifference(
        seeds=tuple(seed for seed, known in zip(seeds, both.tolist(), strict=True) if known),
        differences=tuple(d.tolist()),
        mean=estimate,
        baseline=float(baseline[both].mean()) if n else math.nan,
        sd=sd,
        p=p,
        correlation=float(np.corrcoef(pairs)[0, 1]) if varies else math.nan,
        n_diverged=diverged,
        n_baseline_diverged=of_baseline,
        n_censored=int((np.isnan(arm) | np.isnan(baseline)).sum()),
    )


def half_width(sd: float, n: int, level: float) -> float:
    """Half of Student's t interval of the mean of n values."""
    return float(stdtrit(n - 1, (1 + level) / 2)) * sd / math.sqrt(n)


def verdict_of(difference: PairedDifference, margin: float) -> Verdict:
    """What the seeds say of a measure of which less is better. margin: a difference up to it does not matter, above 0.

    no-difference: the 90 % interval lies inside the margin, whatever p is (two one-sided tests at 5 %). better, worse:
    p <= 0.05 for all arms together, and the 95 % interval excludes 0.
    """
    if difference.n_diverged and not difference.n_baseline_diverged:
        return "diverges"
    mean = difference.mean
    if mean.interval is None:
        return "cannot-tell"
    half = half_width(difference.sd, difference.n, 1 - 2 * ALPHA)
    if abs(mean.value) + half < margin:
        return "no-difference"
    if difference.p <= ALPHA and mean.excludes(0):
        return "better" if mean.value < 0 else "worse"
    return "cannot-tell"


def adjusted_p(table: Float[np.ndarray, "a n"]) -> Float[np.ndarray, " a"]:
    """p of no difference for each arm, adjusted for all arms by step-down max-|t| over joint sign flips.

    table: differences of a arms at n seeds; NaN is left out. NaN for an arm of fewer than two values. With n seeds the
    smallest p is 2 / 2^n, and more arms can raise it. Where arms have values at different numbers of seeds, each t is
    read as its two-sided probability under Student's distribution, so that an arm of two values, whose t is easily
    large, does not hide the others; where the numbers are equal, this changes nothing.
    """
    p = np.full(len(table), math.nan)
    if not table.size:
        return p
    known = np.isfinite(table).sum(axis=1)
    tested = np.flatnonzero(known > 1)
    t = np.abs(_t(table[tested], np.ones((1, table.shape[1]))))
    of_flips = np.abs(_t(table[tested], _flips(table.shape[1])))
    freedom = known[tested, None] - 1.0
    chance, of_flips = 2 * stdtr(freedom, -t * (1 - 1e-9))[:, 0], 2 * stdtr(freedom, -of_flips)
    order = np.argsort(chance, kind="stable")
    so_far = 0.0
    for place, k in enumerate(order):
        so_far = max(so_far, float(np.mean(of_flips[order[place:]].min(axis=0) <= chance[k])))
        p[tested[k]] = so_far
    return p


def _flips(n: int) -> Float[np.ndarray, "f n"]:
    """Signs of n seeds, the first row all +1: all 2^n rows, of more than 14 seeds a sample."""
    if n <= MOST_EXACT:
        return np.asarray(1.0 - 2.0 * (np.arange(2**n)[:, None] >> np.arange(n) & 1))
    flips = np.random.default_rng(0).choice([-1.0, 1.0], size=(2**MOST_EXACT, n))
    flips[0] = 1
    return flips


def _t(table: Float[np.ndarray, "a n"], flips: Float[np.ndarray, "f n"]) -> Float[np.ndarray, "a f"]:
    """Student's t of each arm under each flip; infinite where all flipped values are equal and not 0."""
    known = np.isfinite(table)
    values, n = np.where(known, table, 0.0), known.sum(axis=1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = values @ flips.T / n
        variance = np.maximum((values**2).sum(axis=1)[:, None] - n * mean**2, 0) / (n - 1)
        t = mean / np.sqrt(variance / n)
    return np.where(mean == 0, 0.0, t)


def seeds_needed(sd: float, margin: float, arms: int = 1) -> int | None:
    """Seeds that tell whether an arm differs by the margin, each way in 80 % of studies; None above 1,000.

    Where the difference is the margin, sign flips and a paired t test at 5 % / arms find it; where it is 0, the 90 %
    interval lies inside the margin. At least as many as give sign flips p <= 0.05 for every arm, 2 arms / 2^n <= 0.05:
    6 for one arm. sd: of the differences between seeds, from a pilot; normal noise.

    >>> seeds_needed(0.002, 0.003), seeds_needed(0.003, 0.002), seeds_needed(0.003, 0.002, arms=5)
    (7, 21, 30)
    """
    fewest = math.ceil(math.log2(2 * arms / ALPHA))
    return next((n for n in range(fewest, MOST_SEEDS + 1) if _tells(sd, margin, n, ALPHA / arms)), None)


def more_seeds_needed(difference: PairedDifference, margin: float, arms: int = 1) -> int | None:
    """Seeds, more than there are, that tell in 80 % of studies whose difference is the one seen; None above 1,000.

    Either a paired t test at 5 % / arms finds it, or the 90 % interval lies inside the margin. A difference just below
    the margin takes many: it is there, and too small to matter.
    """
    seen, sd, alpha = abs(difference.mean.value), difference.sd, ALPHA / arms
    more = range(difference.n + 1, MOST_SEEDS + 1)
    return next((n for n in more if _chance_to_tell(seen, sd, margin, n, alpha) >= POWER), None)


def _chance_to_tell(seen: float, sd: float, margin: float, n: int, alpha: float) -> float:
    if sd == 0:
        return 1.0
    inside = _power(margin - seen, sd, n, ALPHA) + _power(margin + seen, sd, n, ALPHA) - 1
    return max(_power(seen, sd, n, alpha / 2), inside)


def _power(distance: float, sd: float, n: int, alpha: float) -> float:
    """Of a one-sided t test at alpha: n values lie this far above what is tested, on average."""
    return 1 - float(nctdtr(n - 1, distance * math.sqrt(n) / sd, stdtrit(n - 1, 1 - alpha)))


def _tells(sd: float, margin: float, n: int, alpha: float) -> bool:
    if sd == 0:
        return True
    if _power(margin, sd, n, alpha / 2) < POWER or 2 * _power(margin, sd, n, ALPHA) - 1 < POWER:
        return False
    return n > FEW or _power_of_flips(margin / sd, n, alpha) >= POWER


def _power_of_flips(effect: float, n: int, alpha: float) -> float:
    """Share of simulated studies of n seeds whose sign flips have p <= alpha. effect: in sd of the differences."""
    d = effect + np.random.default_rng(0).standard_normal((1_000, n))
    sums = np.abs(d @ _flips(n).T)  # of one arm |t| rises with |sum|
    p = (sums >= sums[:, :1] * (1 - 1e-9)).mean(axis=1)
    return float((p <= alpha).mean())
