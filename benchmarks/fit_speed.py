"""Time of a fit, compared with SciPy's `curve_fit`: OMP_NUM_THREADS=1 python benchmarks/fit_speed.py

The curves are simulated, with 709 rows on the published grid of steps. `curve_fit` gets the same points and several
random starts, without bounds (Levenberg-Marquardt) and with our bounds; its best result counts. Times are processor
times, so that other programs matter less.
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
AS_GOOD = 1.001  # residual sum of squares over the optimum's; a start that ends above this misses the optimum


def simulated(seed: int) -> LossCurve:
    """A curve with one break at a random step, white noise, and a smooth deviation from the law."""
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
    deviation = np.interp(np.log(step), np.linspace(0, 13, 20), rng.normal(size=20) * 0.005)
    noise = deviation + 0.005 * rng.normal(size=len(step))
    return LossCurve(f"simulated {seed}", step, np.exp(law.log_loss(step) + noise))


def law(x: np.ndarray, log_b: float, c0: float, c1: float, log_d: float, f: float) -> np.ndarray:
    return np.asarray(log_b - c0 * x - c1 * hinge(x, log_d, f))


def from_random_start(x: np.ndarray, y: np.ndarray, rng: np.random.Generator, *, bounded: bool) -> float:
    """Residual sum of squares of SciPy's result; infinite where it does not converge."""
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
            parameters, _ = curve_fit(law, x, y, p0=start, bounds=bounds if bounded else (-np.inf, np.inf))
    except RuntimeError:
        return float("inf")
    return float(((law(x, *parameters) - y) ** 2).sum())


def seconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median processor time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return float(np.median(times))


def many_starts(x: np.ndarray, y: np.ndarray, seed: int, *, bounded: bool) -> tuple[float, np.ndarray]:
    """Processor seconds of all starts, and the residual sum of squares [STARTS] at which each ends."""
    rng, start = np.random.default_rng(seed), time.process_time()
    ends = np.array([from_random_start(x, y, rng, bounded=bounded) for _ in range(STARTS)])
    return time.process_time() - start, ends


def main() -> None:
    times: dict[str, list[float]] = {}
    missed: dict[bool, list[float]] = {False: [], True: []}  # bounded -> share of starts that miss, by curve
    n_better = 0  # curves on which a bounded start finds a better fit than ours
    for seed in range(CURVES):
        curve = simulated(seed)
        points = binned_points(curve)
        fitted = points.after(100) > 0
        x, y, weights = points.x[fitted], points.y[fitted], np.ones((1, int(fitted.sum())))
        best = solve(x, y, weights).rss[0]
        curve_times = {
            "`fit`: 18 searches, intervals, verdict": seconds(lambda curve=curve: fit(curve)),
            "one of these searches": seconds(lambda x=x, y=y, weights=weights: solve(x, y, weights)),
        }
        for bounded in (False, True):
            duration, ends = many_starts(x, y, seed, bounded=bounded)
            curve_times[f"`curve_fit`, {STARTS} starts, {'with' if bounded else 'without'} bounds"] = duration
            missed[bounded].append(float((~(ends <= AS_GOOD * best)).mean()))
            n_better += int(bounded and best > ends.min() * (1 + 1e-7))
        if seed % 4 == 0:
            curve_times["`analyse`: other laws, forecasts, back-test"] = seconds(lambda curve=curve: analyse(curve), 1)
        for label, value in curve_times.items():
            times.setdefault(label, []).append(value)
    print(f"{CURVES} curves of {len(curve)} rows, {len(x)} points. Milliseconds of processor time, one thread:\n")
    print("| what | median | slowest curve |\n|---|---|---|")
    for label, values in times.items():
        print(f"| {label} | {1e3 * np.median(values):.1f} | {1e3 * max(values):.1f} |")
    for bounded, shares in missed.items():
        sentence = f"{'With' if bounded else 'Without'} bounds {100 * np.mean(shares):.0f} % of starts miss the optimum"
        print(f"\n{sentence} ({100 * max(shares):.0f} % on the worst curve).")
    print(f"\nCurves on which a start of `curve_fit` within the bounds found a better fit than `fit`: {n_better}.")


if __name__ == "__main__":
    main()
