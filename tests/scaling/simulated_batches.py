"""Losses of budgets with known best sizes, and of batch sizes with a known critical batch."""

import math

import numpy as np

from zerosum.scaling import critical_batch, isoflop


def budgets(a=0.49, k=0.09, noise=0.0, law=None, flops=(1e18, 1e19, 1e20, 1e21, 1e22), seed=0):
    """Sizes around the best of each budget; losses are a parabola in log N, or a law's."""
    rng, rows = np.random.default_rng(seed), []
    for C in flops:
        best = k * C**a
        for x in np.linspace(-1.0, 1.0, 7):
            N = best * math.exp(x)
            loss = law(N, C / 6 / N) if law else 2.0 + 0.1 * x**2 + C**-0.05
            rows.append({"N": N, "D": C / 6 / N, "loss": loss * math.exp(noise * rng.standard_normal())})
    return rows


def batches(B_crit=2000.0, S_min=500.0, sizes=(256, 512, 1024, 2048, 4096, 8192), noise=0.0, seed=0):
    """Runs that reach the loss 2.5 after S_min (1 + B_crit / B) steps, by a power law of the step."""
    rng = np.random.default_rng(seed)
    rows = []
    for B in sizes:
        steps = S_min * (1 + B_crit / B) * math.exp(noise * rng.standard_normal())
        for factor in (0.25, 0.5, 0.9, 1.7, 3.0):
            step = steps * factor
            loss = 2.5 * factor**-0.1
            rows.append({"run": f"b{B}", "N": 1e6, "D": B * step, "batch": B, "step": step, "loss": loss})
    return rows


SCENARIOS = {
    "B_crit inside, steps off by 5 %": {},
    "B_crit inside, steps off by 2 %": {"noise": 0.02},
    "B_crit at the smallest batch": {"B_crit": 256.0},
    "B_crit at the largest batch": {"B_crit": 8192.0},
    "4 batch sizes": {"sizes": (512, 1024, 2048, 4096)},
    "3 batch sizes, steps off by 1 %": {"sizes": (512, 2048, 8192), "noise": 0.01},
}


def measure_batches(seed, **scenario):
    """Whether B_crit is identified, and whether each interval holds the truth."""
    scenario = {"B_crit": 2000.0, "noise": 0.05} | scenario
    found = critical_batch(batches(seed=seed, **scenario), 2.5)
    true = {"B_crit": scenario["B_crit"], "S_min": 500.0, "E_min": 500.0 * scenario["B_crit"]}
    estimates = {name: getattr(found, name) for name in true}
    covers = {name: not one.excludes(true[name]) for name, one in estimates.items() if one.interval}
    return found.verdict == "identified", covers


def measure_budgets(seed, noise=0.002):
    """Whether the intervals of a and of the best size of another budget hold the truth."""
    found = isoflop(budgets(noise=noise, seed=seed))
    best = found.optimal(1e23).n_params
    return {"a": not found.a.excludes(0.49), "best_size": not best.excludes(0.09 * 1e23**0.49)}
