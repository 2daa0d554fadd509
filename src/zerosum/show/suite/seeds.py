"""The same size trained from several seeds: means with t-intervals over the seeds."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.stats import t as student

from zerosum.show.suite.summary import AcrossSeeds, Estimate, RunSummary, SeedD

LEVEL = 0.95


def across_seeds(runs: Sequence[RunSummary]) -> tuple[AcrossSeeds, ...] | None:
    """Mean and t-interval over seeds of L_d, t_d, r_d, the final loss and D of each pair, for each size.

    Runs of one name are one size. None where no size has a second seed. A run whose verdict is not "decelerates" has
    no break to average: it is left out of L_d, t_d and r_d, and N says how many stayed.
    """
    sizes: dict[str, list[RunSummary]] = {}
    for run in runs:
        sizes.setdefault(run.name, []).append(run)
    if all(len(size) < 2 for size in sizes.values()):
        return None
    return tuple(_one_size(size) for size in sizes.values())


def _one_size(runs: list[RunSummary]) -> AcrossSeeds:
    broken = [run.fit for run in runs if run.fit.verdict == "decelerates"]
    pairs = sorted({(pair.from_step, pair.to_step) for run in runs for pair in run.double})
    return AcrossSeeds(
        name=runs[0].name,
        n_params=runs[0].n_params,
        seeds=tuple(run.seed for run in runs),
        L_d=over_seeds([fit.L_d for fit in broken]),
        t_d=over_seeds([fit.t_d for fit in broken]),
        r_d=over_seeds([fit.r_d for fit in broken]),
        final_loss=over_seeds([run.final_loss.value for run in runs]),
        D=tuple(SeedD(start, end, over_seeds(_d_of_pair(runs, start, end))) for start, end in pairs),
    )


def _d_of_pair(runs: list[RunSummary], start: int, end: int) -> list[float]:
    return [p.interference.D for run in runs for p in run.double if (p.from_step, p.to_step) == (start, end)]


def over_seeds(values: Sequence[float]) -> Estimate:
    """Mean of one number per seed with Student's t-interval; values that are NaN are left out."""
    return over_repeats(values, "seeds")


def over_repeats(values: Sequence[float], of: str) -> Estimate:
    """Mean of one number per repetition with Student's t-interval; values that are NaN are left out.

    of: what was repeated, in the plural.

    >>> found = over_repeats([0.4, 0.5, 0.6], "seeds")
    >>> round(found.value, 3), [round(end, 3) for end in found.interval], found.N
    (0.5, [0.252, 0.748], 3)
    """
    known = [value for value in values if math.isfinite(value)]
    n = len(known)
    if n < 2:
        value = known[0] if known else math.nan
        return Estimate(value, None, n, of, LEVEL, reason=f"{n} of {len(values)} {of} give it; an interval needs 2")
    mean = fmean(known)
    half = float(student.ppf((1 + LEVEL) / 2, n - 1)) * stdev(known) / math.sqrt(n)
    return Estimate(mean, (mean - half, mean + half), n, of, LEVEL, f"Student's t over {n} {of}")
