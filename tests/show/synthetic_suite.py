"""A plausible suite without training anything: one-break curves with noise, and per-token changes drawn from a normal
whose mean fades against its spread, so that D climbs from near 0 to about one half as in real runs."""

import dataclasses

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import fit
from zerosum.interference import Interference, measure
from zerosum.show import CutoffFit, DoubleStep, Estimate, OneStep, RunSummary, SuiteSummary, across_seeds

STEPS = 2048
LOG2 = [2**k for k in range(12)]
SIZES = {"26k": (26_000, 2.75, 150.0, 0.15), "100k": (100_000, 2.6, 170.0, 0.17), "240k": (240_000, 2.5, 190.0, 0.19)}


def curve_of(name: str, L_d: float, t_d: float, r_d: float, seed: int) -> LossCurve:
    step = np.arange(1.0, STEPS + 1)
    c0, f1 = 0.30, 0.25
    clean = L_d * (step / t_d) ** -c0 * (1 + (step / t_d) ** (1 / f1)) ** ((c0 - r_d) * f1)
    loss = np.minimum(clean, 5.6) * np.exp(np.random.default_rng(seed).normal(0, 0.02, STEPS))
    return LossCurve(name=name, step=step, loss=loss, source="synthetic")


def changes(step: float, size: float, shape: tuple[int, int], seed: int) -> Interference:
    """Loss changes that cancel little before step 128 and about half at 1,024."""
    rng = np.random.default_rng([seed, int(step), shape[0]])
    spread = 0.5 + 0.42 * max(0.0, np.log2(step / 64))
    of_sequence = rng.normal(0, 0.2 * spread, (shape[0], 1))
    return measure(size * (rng.normal(-1, spread, shape) + of_sequence))


def run_of(name: str, seed: int = 0) -> RunSummary:
    n_params, L_d, t_d, r_d = SIZES[name]
    curve = curve_of(name, L_d, t_d * (1 + 0.03 * seed), r_d, seed)
    held_out = np.random.default_rng(seed).gamma(2.0, curve.loss[-1] / 2, (64, 64))
    lag = {"26k": 0.75, "100k": 1.0, "240k": 1.3}[name]  # smaller models come to cancel earlier
    moves = [(0.05 + 0.9 * np.exp(-(((np.log2(step) - 4.5) / 3) ** 2))) * lag**0.5 for step in LOG2]
    return RunSummary(
        name=name,
        n_params=n_params,
        seed=seed,
        steps=STEPS,
        tokens_per_step=2048,
        final_loss=Estimate.mean_loss(measure(held_out)),
        curve=curve,
        fit=fit(curve, cutoff=20),
        cutoffs=tuple(CutoffFit.of(fit(curve, cutoff=cutoff)) for cutoff in (10, 20, 30, 40, 60)),
        double=tuple(
            DoubleStep(step, 2 * step, changes(step / lag, move, (64, 64), seed))
            for step, move in zip(LOG2[:-1], moves, strict=False)
        ),
        unpaired=(STEPS,),
        one_step=tuple(
            OneStep(step, split, changes(4 * step / lag, move / max(step, 2), shape, seed))
            for split, shape in (("heldout", (64, 64)), ("batch", (16, 64)))
            for step, move in zip(LOG2[:-1], moves, strict=False)
        ),
    )


def suite(names: tuple[str, ...] = tuple(SIZES), seeds: int = 1) -> SuiteSummary:
    runs = tuple(run_of(name, seed) for seed in range(seeds) for name in names)
    return SuiteSummary(
        title="zerosum demo",
        runs=runs,
        across_seeds=across_seeds(runs),
        across_seeds_reason=None if seeds > 1 else "one seed; run with --seeds 3 for intervals across seeds",
        provenance={
            "command": "zerosum demo --seed 0",
            "versions": {"zerosum": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
            "data": {"text": "Python standard library", "sha256": "9f2c" * 16, "held-out tokens": 4096},
            "seeds": list(range(seeds)),
        },
    )


def renamed(summary: SuiteSummary, *names: str) -> SuiteSummary:
    """The same numbers under other names."""
    runs = tuple(dataclasses.replace(run, name=name) for run, name in zip(summary.runs, names, strict=True))
    return dataclasses.replace(summary, runs=runs)
