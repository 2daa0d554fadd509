"""How long a fit takes, and what the obvious way would take and miss: OMP_NUM_THREADS=1 python benchmarks/fit_speed.py

Simulated curves of 709 rows on the published grid of steps. The obvious way: SciPy's `curve_fit` on the same points
from random starts, the best of which counts, without bounds (Levenberg-Marquardt) and with the bounds of ours.
Times are of the processor, so that other programs matter less.
"""

import time
import warnings
from collections.abc import Callable

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from zerosum.curves import LossCurve
from zerosum.curves.grid import on_grid
from zerosum.deceleration import BNSL, analyse, fit
from zerosum.deceleration.bnsl import hinge
from zerosum.deceleration.points import binned_points
from zerosum.deceleration.varpro import solve

CURVES, STARTS, REPEATS = 32, 20, 5
LAST_STEP = 440_000
AS_GOOD = 1.001  # residual sum of squares over the best one; a start that ends above this has missed


def simulated(seed: int) -> LossCurve:
    """One break at a random place, with white noise and a smooth wander beside the law."""
    rng = np.random.default_rng(seed)
    law = BNSL.from_rates(
        log_L_d=np.log(3.2),
        r_before=rng.uniform(0.1, 0.3),
        r_d=rng.uniform(0.01, 0.08),
        log_t_d=np.log(rng.uniform(1_000, 20_000)),
        log_f=np.log(rng.uniform(0.1, 0.6)),
    )
    step = np.arange(1.0, LAST_STEP + 1)
    step = step[on_grid(step)]
    wander = np.interp(np.log(step), np.linspace(0, 13, 20), rng.normal(size=20) * 0.005)
    noise = wander + 0.005 * rng.normal(size=len(step))
    return LossCurve(f"simulated {seed}", step, np.exp(law.log_loss(step) + noise))


def law(x: np.ndarray, log_b: float, c0: float, c1: float, log_d: float, f: float) -> np.ndarray:
    return np.asarray(log_b - c0 * x - c1 * hinge(x, log_d, f))


def from_random_start(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, *, bounded: bool) -> float:
    """Residual sum of squares where SciPy ends; infinite where it gives up."""
    start = [
        rng.uniform(1, 4),
        rng.uniform(0, 0.4),
        -rng.uniform(0, 0.4),
        rng.uniform(x[2], x[-3]),
        rng.uniform(0.1, 1),
    ]
    bounds = ([-np.inf, -np.inf, -np.inf, x[2], 0.03], [np.inf, np.inf, np.inf, x[-3], 3.0])
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", OptimizeWarning)
            found, _ = curve_fit(law, x, y, p0=start, bounds=bounds if bounded else (-np.inf, np.inf))
    except RuntimeError:
        return float("inf")
    return float(((law(x, *found) - y) ** 2).sum())


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median processor time."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def many_starts(x: np.ndarray, y: np.ndarray, seed: int, *, bounded: bool) -> tuple[float, np.ndarray]:
    """Processor seconds, and where each start ends."""
    rng, start = np.random.default_rng(seed), time.process_time()
    ends = np.array([from_random_start(x, y, rng, bounded=bounded) for _ in range(STARTS)])
    return time.process_time() - start, ends


def main() -> None:
    times: dict[str, list[float]] = {}
    missed: dict[bool, list[float]] = {False: [], True: []}
    beaten = 0
    for seed in range(CURVES):
        curve = simulated(seed)
        points = binned_points(curve)
        kept = points.after(100) > 0
        x, y, weights = points.x[kept], points.y[kept], np.ones((1, int(kept.sum())))
        best = solve(x, y, weights).rss[0]
        found = {
            "`fit`: 14 searches, intervals, verdict": seconds(lambda curve=curve: fit(curve)),
            "one search of ours": seconds(lambda x=x, y=y, weights=weights: solve(x, y, weights)),
        }
        for bounded in (False, True):
            took, ends = many_starts(x, y, seed, bounded=bounded)
            found[f"`curve_fit`, {STARTS} starts, {'with' if bounded else 'without'} bounds"] = took
            missed[bounded].append(float((~(ends <= AS_GOOD * best)).mean()))
            beaten += int(bounded and best > ends.min() * (1 + 1e-7))
        if seed % 4 == 0:
            found["`analyse`: other laws, forecasts, back-test"] = seconds(lambda curve=curve: analyse(curve), 1)
        for label, value in found.items():
            times.setdefault(label, []).append(value)
    print(f"{CURVES} curves of {len(curve)} rows, {len(x)} points. Milliseconds of the processor, one thread:\n")
    print("| what | median | slowest curve |\n|---|---|---|")
    for label, values in times.items():
        print(f"| {label} | {1e3 * np.median(values):.1f} | {1e3 * max(values):.1f} |")
    for bounded, shares in missed.items():
        words = f"{'With' if bounded else 'Without'} bounds {100 * np.mean(shares):.0f} % of starts miss the optimum"
        print(f"\n{words} ({100 * max(shares):.0f} % on the worst curve).")
    print(f"\nCurves on which a start of theirs, inside the bounds, found a better fit than ours: {beaten}.")


if __name__ == "__main__":
    main()
