"""Coverage and width of the 95 % intervals of L_d, t_d and r_d on simulated curves, whose true values are known.

    python benchmarks/deceleration_calibration.py > benchmarks/deceleration_calibration.md

Every curve: one-break law with L_d 3.2, r_before 0.25, r_d 0.08, width 0.3, robust procedure, default cut-off.
1,000 curves a cell take about 12 minutes of processor time; `--curves 20` gives a quick first result.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from zerosum.curves import LossCurve
from zerosum.curves.grid import on_grid
from zerosum.deceleration import BNSL
from zerosum.deceleration.fit_errors import errors_of_fit, one_break_design
from zerosum.deceleration.intervals import intervals
from zerosum.deceleration.points import binned_points
from zerosum.deceleration.smoothing import log_moving_average
from zerosum.deceleration.weighting import least_squares
from zerosum.estimate import Interval

Residual = Callable[[np.random.Generator, np.ndarray], np.ndarray]
NOISE = 0.015  # standard deviation of log loss for each row: batches of about 10^5 tokens
NAMES = ("L_d", "t_d", "r_d")
BREAK_POSITIONS = {"early": 0.3, "middle": 0.5, "late": 0.7}  # of the fitted range, in log step


@dataclass(frozen=True)
class Log:
    """A log of one row for each step up to last_step; of its rows those on the published grid, where it is thinned.

    smoothed: the published moving average of the residuals, before thinning.
    """

    last_step: int
    thinned: bool = False
    smoothed: bool = False

    def steps(self) -> np.ndarray:
        return np.arange(1.0, self.last_step + 1)

    def kept(self) -> np.ndarray:
        return on_grid(self.steps()) if self.thinned else np.ones(self.last_step, dtype=bool)

    def residuals(self, residual: Residual, rng: np.random.Generator) -> np.ndarray:
        """Of the rows that are kept."""
        x = np.log(self.steps())
        if not self.smoothed:
            return residual(rng, x[self.kept()])
        e = residual(rng, x)  # the average needs values above 0
        return (log_moving_average(e - e.min()) + e.min())[self.kept()]


LENGTHS = {
    "709 rows thinned (to step 440,000)": Log(440_000, thinned=True),
    "361 rows smoothed and thinned (to step 20,000)": Log(20_000, thinned=True, smoothed=True),
    "2,048 rows": Log(2_048),
    "20,000 rows": Log(20_000),
}


def white(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return NOISE * rng.normal(size=len(x))


def growing_sd(x: np.ndarray) -> np.ndarray:
    """Grows by a factor of 3 over the last two factors of ten in steps."""
    return NOISE * 3 ** ((x - x[-1]) / np.log(100) + 0.5)


def growing(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return growing_sd(x) * rng.normal(size=len(x))


def ar1(rng: np.random.Generator, x: np.ndarray, phi: float = 0.9) -> np.ndarray:
    e = lfilter([np.sqrt(1 - phi**2)], [1, -phi], rng.normal(size=len(x) + 200))
    return NOISE * np.asarray(e)[200:]


def misfit(size: float, distance: float) -> Residual:
    """White noise plus a smooth deviation: normal values at knots `distance` apart in log step, joined by lines."""

    def residual(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        knots = np.arange(x[0] - distance * rng.uniform(), x[-1] + distance, distance)
        return white(rng, x) + np.interp(x, knots, size * rng.normal(size=len(knots)))

    return residual


GRID: dict[str, Residual] = {
    "white noise": white,
    "white noise that grows": growing,
    "AR(1) noise, 0.9": ar1,
    "misfit 0.5 %, knots 0.6 apart": misfit(0.005, 0.6),
    "misfit 1 %, knots 0.6 apart": misfit(0.01, 0.6),
    "misfit 0.5 %, knots 0.3 apart": misfit(0.005, 0.3),
    "misfit 0.5 %, knots 1.2 apart": misfit(0.005, 1.2),
}
WHITE = {"white noise": lambda x: np.full(len(x), NOISE), "white noise that grows": growing_sd}


@dataclass
class Cell:
    """Results of the fits in one cell of the table.

    covered: [curves, 3], for each of NAMES 1 if its interval holds the true value, else 0. width: [curves, 3], of the
    interval, in log for L_d and t_d. Both are NaN where a fit gives no interval. bound: [3] the width by the Cramer-Rao
    bound, where the noise is white and of the rows themselves; else NaN.
    """

    covered: np.ndarray
    width: np.ndarray
    bound: np.ndarray

    def row(self) -> str:
        coverage, width = 100 * np.nanmean(self.covered, axis=0), np.nanmedian(self.width, axis=0)
        columns = [f"{value:.1f}" for value in coverage]
        columns += [f"{100 * np.isnan(self.covered[:, 0]).mean():.1f}"]
        columns += [f"{100 * width[0]:.1f} %", f"x {np.exp(width[1] / 2):.2f}", f"{width[2]:.4f}"]
        over = width / self.bound
        return " | ".join([*columns, " / ".join(f"{v:.2f}" for v in over) if np.isfinite(over).all() else ""])


def simulated_law(cutoff: float, last_step: float, break_position: float) -> BNSL:
    log_t_d = np.log(cutoff) + break_position * np.log(last_step / cutoff)
    return BNSL.from_rates(np.log(3.2), 0.25, 0.08, log_t_d, np.log(0.3))


def bound(law: BNSL, x: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Least width of 95 % intervals of log L_d, log t_d and r_d of an unbiased estimate from rows at log steps x."""
    design = one_break_design(x, law.r_before, law.r_d, np.log(law.t_d), np.log(law.f1)) / sd[:, None]
    return 2 * 1.96 * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))[[0, 3, 2]]


def intervals_of(step: np.ndarray, log_loss: np.ndarray, cutoff: float) -> dict[str, Interval | None]:
    """As `fit` gives them, without its verdict and its other cut-offs."""
    points = binned_points(LossCurve("simulated", step, np.exp(log_loss)))
    weights, solutions = least_squares(points, [cutoff], balanced=True)
    law = solutions.law(0)
    centres = np.array([np.log(law.L_d), np.log(law.t_d), law.r_d])
    return intervals(centres, errors_of_fit(points, weights[0], law), solutions, 0.95)[0]


def simulate_cell(name: str, log: Log, break_position: float, curves: int, seed: int) -> Cell:
    rng, step = np.random.default_rng(seed), log.steps()[log.kept()]
    cutoff = min(100.0, np.floor(0.01 * log.last_step))
    law = simulated_law(cutoff, log.last_step, break_position)
    covered, width = np.full((2, curves, 3), np.nan)
    for k in range(curves):
        ends = intervals_of(step, law.log_loss(step) + log.residuals(GRID[name], rng), cutoff)
        for n, number in enumerate(NAMES):
            if interval := ends[number]:
                covered[k, n] = interval[0] <= getattr(law, number) <= interval[1]
                width[k, n] = interval[1] - interval[0] if number == "r_d" else np.log(interval[1] / interval[0])
    if name not in WHITE or log.smoothed:
        return Cell(covered, width, np.full(3, np.nan))
    x, fitted = np.log(step), step > cutoff
    return Cell(covered, width, bound(law, x[fitted], WHITE[name](x)[fitted]))


CELLS = [(length, name, position) for length in LENGTHS for name in GRID for position in BREAK_POSITIONS]


def table(curves: int, cells: list[tuple[int, tuple[str, str, str]]]) -> Iterator[str]:
    yield "| length | residuals | break | L_d % | t_d % | r_d % | no interval % | width L_d | width t_d "
    yield "| width r_d | over the bound: L_d / t_d / r_d |\n" + "|---" * 11 + "|\n"
    for seed, (length, name, position) in cells:
        cell = simulate_cell(name, LENGTHS[length], BREAK_POSITIONS[position], curves, seed)
        yield f"| {length} | {name} | {position} | {cell.row()} |\n"


HEAD = """# Calibration of the intervals of a fit

Made by `python benchmarks/deceleration_calibration.py`: {curves} simulated curves in each cell. Coverage is the share
of 95 % intervals that hold the true value, among the curves with an interval (its sampling error is about
{error:.1f} %). Widths are medians: upper end minus lower end in log for L_d, the factor to either side for t_d, upper
minus lower end for r_d. "Over the bound": width over that of the Cramer-Rao bound in log units, which no unbiased
estimate from these rows can beat; for white noise of raw rows alone. A break is early, middle or late at 0.3, 0.5 or
0.7 of the fitted range in log step.

Noise has a standard deviation of {noise:g} of log loss in each row; noise that grows does so by a factor of 3 over the
last two factors of ten in steps; AR(1) is from row to row. Misfit is a smooth deviation from the law: normal values at
knots 0.3, 0.6 or 1.2 apart in log step, joined by lines, beside white noise. In the smoothed log the residuals, not the
law, are averaged as published and then thinned, so that the true values are known.

The goal is 92 % or more in every cell, and narrow intervals where the noise is white. Both cannot be had: misfit of
0.5 % with knots 1.2 apart is as slow as the bend itself, and the residuals of a fit show little of it. Intervals that
hold the truth there have to allow for such misfit where there is none, so that they are wider than the bound and cover
more than 95 % where the noise is white.

The prior of misfit (its odds, typical size and length) was chosen on these cells, so that their coverage is partly that
of curves the method has seen.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=1_000)
    parser.add_argument("--only", default="", help="rows whose length, residuals and break hold this text")
    options = parser.parse_args()
    cells = [(seed, cell) for seed, cell in enumerate(CELLS, 1) if options.only in " ".join(cell)]
    error = 100 * np.sqrt(0.05 * 0.95 / options.curves)
    print(HEAD.format(curves=options.curves, error=error, noise=NOISE), end="")
    for row in table(options.curves, cells):
        print(row, end="", flush=True)


if __name__ == "__main__":
    main()
