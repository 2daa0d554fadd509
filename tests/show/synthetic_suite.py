"""A plausible suite without training anything: one-break curves with noise, and per-token changes drawn from a normal
whose mean fades against its spread, so that D climbs from near 0 to about one half as in real runs."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from zerosum.comparison import OneSeed, across_seeds
from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis, fit
from zerosum.estimate import Estimate
from zerosum.interference import Interference, measure
from zerosum.interference.labelled import (
    Changes,
    CheckpointLoss,
    NoiseFloor,
    OneStep,
    PairInterference,
    StoreFindings,
    StoreInterference,
)
from zerosum.runs import RunFacts
from zerosum.show.report import Report, Run

STEPS = 2048
LOG2 = [2**k for k in range(12)]
SIZES = {"26k": (26_000, 2.75, 150.0, 0.15), "100k": (100_000, 2.6, 170.0, 0.17), "240k": (240_000, 2.5, 190.0, 0.19)}
NO_FLOOR = NoiseFloor(1e-7, 1e-6, None, "float32")


def curve_of(name: str, L_d: float, t_d: float, r_d: float, seed: int) -> LossCurve:
    step = np.arange(1.0, STEPS + 1)
    c0, f1 = 0.30, 0.25
    clean = L_d * (step / t_d) ** -c0 * (1 + (step / t_d) ** (1 / f1)) ** ((c0 - r_d) * f1)
    loss = np.minimum(clean, 5.6) * np.exp(np.random.default_rng(seed).normal(0, 0.02, STEPS))
    return LossCurve(name=name, step=step, loss=loss, lr=np.full(STEPS, 3e-4), source="synthetic")


def changes(step: float, size: float, shape: tuple[int, int], seed: int) -> Interference:
    """Loss changes that cancel little before step 128 and about half at 1,024."""
    rng = np.random.default_rng([seed, int(step), shape[0]])
    spread = 0.5 + 0.42 * max(0.0, np.log2(step / 64))
    of_sequence = rng.normal(0, 0.2 * spread, (shape[0], 1))
    return measure(size * (rng.normal(-1, spread, shape) + of_sequence))


def run_of(name: str, seed: int = 0) -> Run:
    n_params, L_d, t_d, r_d = SIZES[name]
    curve = curve_of(name, L_d, t_d * (1 + 0.03 * seed), r_d, seed)
    lag = {"26k": 0.75, "100k": 1.0, "240k": 1.3}[name]  # smaller models come to cancel earlier
    moves = [(0.05 + 0.9 * np.exp(-(((np.log2(step) - 4.5) / 3) ** 2))) * lag**0.5 for step in LOG2]
    pairs = tuple(
        pair_of(step, 2 * step, changes(step / lag, move, (64, 64), seed))
        for step, move in zip(LOG2[:-1], moves, strict=False)
    )
    steps = tuple(
        step_of(step, split, changes(4 * step / lag, move / max(step, 2), shape, seed))
        for split, shape in (("heldout", (64, 64)), ("batch", (16, 64)))
        for step, move in zip(LOG2[:-1], moves, strict=False)
    )
    held_out = float(curve.loss[-1])
    last = Estimate(held_out, (0.97 * held_out, 1.03 * held_out), N=4096, of="tokens", unit="nats per token")
    findings = StoreFindings(
        StoreInterference(pairs, (STEPS,), (), (), {}, (), None),
        one_steps=steps,
        mean_losses=(CheckpointLoss(STEPS, 2048.0 * STEPS, last, 1e-7),),
    )
    facts = RunFacts(n_params, STEPS, 2048)
    return Run(name, (facts, Analysis(fit(curve), (), ()), findings), seed)


def pair_of(start: int, end: int, measured: Interference) -> PairInterference:
    return PairInterference(start, end, measured, "sequence", 0, NO_FLOOR, None)


def step_of(step: int, split: Any, measured: Interference) -> OneStep:
    return OneStep(step, split, Changes(3.0, "sequence", measured))


def suite(names: tuple[str, ...] = tuple(SIZES), seeds: int = 1) -> Report:
    runs = tuple(run_of(name, seed) for seed in range(seeds) for name in names)
    return Report(
        title="zerosum demo",
        runs=runs,
        shared=across_seeds([one_seed(run) for run in runs]),
        provenance={
            "command": "zerosum demo --seed 0",
            "versions": {"zerosum": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
            "data": {"text": "Python standard library", "sha256": "9f2c" * 16, "held-out tokens": 4096},
            "seeds": list(range(seeds)),
        },
    )


def one_seed(run: Run) -> OneSeed:
    facts, analysis, findings = run.records
    pairs = {(pair.from_step, pair.to_step): pair.measured.D for pair in findings.found.pairs}
    loss = findings.mean_losses[-1].loss.value
    return OneSeed(run.name, facts.n_params, run.seed or 0, analysis.fit, loss, pairs)


def renamed(report: Report, *names: str) -> Report:
    """The same numbers under other names."""
    runs = tuple(dataclasses.replace(run, name=name) for run, name in zip(report.runs, names, strict=True))
    return dataclasses.replace(report, runs=runs)


def with_findings(run: Run, change: Callable[[StoreFindings], StoreFindings]) -> Run:
    """The run with its findings changed."""
    return dataclasses.replace(run, records=tuple(_changed(run, change)))


def _changed(run: Run, change: Callable[[StoreFindings], StoreFindings]) -> Iterator[Any]:
    for record in run.records:
        yield change(record) if isinstance(record, StoreFindings) else record


def with_steps(run: Run, *steps: OneStep) -> Run:
    return with_findings(run, lambda findings: dataclasses.replace(findings, one_steps=steps))


def with_pairs(run: Run, *measured: Interference) -> Run:
    """Pairs 1 to 2, 2 to 4, ... of what was measured."""
    pairs = tuple(pair_of(2**k, 2 ** (k + 1), one) for k, one in enumerate(measured))
    return with_findings(
        run, lambda findings: dataclasses.replace(findings, found=dataclasses.replace(findings.found, pairs=pairs))
    )
