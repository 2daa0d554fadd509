"""Time of fitting a law of the loss, compared with SciPy's L-BFGS-B: OMP_NUM_THREADS=1 python benchmarks/scaling.py

252 simulated losses of 12 runs (Chinchilla's law, noise that checkpoints of a run share). L-BFGS-B gets the same
objective and random starts of the same grid, one after the other, as scripts do. Times are processor times of one
thread, so that other programs matter less.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize

from zerosum.scaling import LossTable, fit, hold_out
from zerosum.scaling.laws import law
from zerosum.scaling.objective import huber
from zerosum.scaling.search import Minimum, search

SIZES, CHECKPOINTS = 12, 21
MANY = 17  # starts on each axis: 4,913 of Chinchilla's law
SCIPY_STARTS = 20
SAME = 1e-6  # relative difference of the objective at which a start has reached the minimum


def simulated() -> LossTable:
    """Sizes of 10 million to 3 billion, checkpoints to between 10 and 100 tokens per parameter."""
    rng = np.random.default_rng(0)
    run = np.repeat(np.arange(SIZES), CHECKPOINTS)
    N = np.geomspace(1e7, 3e9, SIZES)[run]
    D = (
        np.exp(rng.uniform(np.log(10), np.log(100), SIZES))[run]
        * N
        * np.tile(np.geomspace(0.03, 1, CHECKPOINTS), SIZES)
    )
    noise = 0.004 * rng.standard_normal(SIZES)[run] + 0.003 * rng.standard_normal(len(run))
    loss = (1.69 + 406.4 / N**0.34 + 410.7 / D**0.28) * np.exp(noise)
    none = np.full(len(run), np.nan)
    names = tuple(f"r{k}" for k in run)
    return LossTable(names, N, D, loss, none, none, none, none, none, np.ones(len(run), dtype=int))


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds, and the result."""
    start = time.process_time()
    result = call()
    return time.process_time() - start, result


def by_scipy(best: Minimum, starts: np.ndarray) -> np.ndarray:
    """Objective at which each start of L-BFGS-B ends."""
    goal = best.objective

    def objective(theta: np.ndarray) -> float:
        return float(huber(goal.residual(theta[None])[0], goal.delta).sum())

    return np.array([minimize(objective, start, method="L-BFGS-B").fun for start in starts])


def main() -> None:
    table, chinchilla = simulated(), law("chinchilla")
    rows = []
    for per_axis, draws in ((MANY, 1_000), (7, 1_000)):
        took, fitted = seconds(lambda n=per_axis, draws=draws: fit(table, per_axis=n, draws=draws))
        what = f"`fit`: {fitted.starts.n:,} starts, {draws:,} resampled tables, profiles, influences, verdict"
        rows.append((what, took, f"{fitted.starts.reached / fitted.starts.n:.0%}"))
    took, best = seconds(lambda: search(table, chinchilla))
    rows.append((f"the search alone, {len(best.ends)} starts", took, f"{len(best.at_minimum) / len(best.ends):.0%}"))
    took, _ = seconds(lambda: hold_out(table))
    rows.append(("`hold_out`: the largest run, and the protocol", took, ""))
    logs = {"N": np.log(table.N) - best.centre["N"], "D": np.log(table.D) - best.centre["D"]}
    starts = chinchilla.starts(logs, table.loss, 7)
    starts = starts[np.random.default_rng(0).choice(len(starts), SCIPY_STARTS, replace=False)]
    took, ends = seconds(lambda: by_scipy(best, starts))
    reached = float((ends <= best.value * (1 + SAME)).mean())
    rows.append((f"L-BFGS-B, {SCIPY_STARTS} starts", took, f"{reached:.0%}"))
    print(f"{len(table)} losses of {SIZES} runs. Seconds of processor time, one thread:\n")
    print("| what | seconds | searches that reach the minimum |\n|---|---|---|")
    for what, took, share in rows:
        print(f"| {what} | {took:.1f} | {share} |")
    print(
        f"\nAt that rate L-BFGS-B would take {rows[-1][1] / SCIPY_STARTS * 5_913 / 60:.0f} minutes for 4,913 starts and"
    )
    print(f"1,000 resampled tables. Its lowest objective over ours, minus 1: {ends.min() / best.value - 1:.1e}.")


if __name__ == "__main__":
    main()
