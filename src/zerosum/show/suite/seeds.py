"""The same size trained from several seeds: means with t-intervals over the seeds."""

from collections.abc import Sequence

from zerosum.interference import over_repeats
from zerosum.show.suite.summary import AcrossSeeds, Estimate, RunSummary, SeedD


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
    mean = over_repeats(values, "seeds")
    why = mean.reason or None
    return Estimate(mean.value, mean.interval, mean.N or 0, mean.of, mean.level, mean.method, why)
