"""A bench that was never run: hand-made results with an arm of every verdict, the same on every machine."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np

from zerosum.bench.results import (
    ArmResult,
    BenchResult,
    BenchSize,
    HorizonResult,
    IdentityCheck,
    RateResult,
    RunCurve,
    RunResult,
)
from zerosum.comparison import EqualLoss, LossInterval

SEEDS = (10, 11, 12, 13, 14, 15, 16, 17)
HORIZON, TOKENS_PER_STEP = 65_536, 256
NGRAMS = {"unigram": 3.34, "bigram": 2.60, "trigram": 1.94}
LEVELS = (2.6, 2.2, 1.9, 1.7)
STEPS = tuple(round(2.0 ** (k / 2)) for k in range(12, 33))
# kind, effect on the loss, noise of the difference, on L_d, factor of t_d, on r_d, best rate, settings
ARMS = {
    "muon": ("arm", -0.012, 0.0012, -0.03, 0.8, 0.002, 4e-3, {"optimizer.name": "muon"}),
    "cautious": ("arm", -0.0008, 0.0012, 0.0, 1.0, 0.0, 2e-3, {"optimizer.name": "cautious_adamw"}),
    "reweighting": ("arm", 0.003, 0.0045, 0.0, 1.05, 0.0, 2e-3, {"objective.name": "reweighting"}),
    "lion": ("arm", 0.009, 0.0012, 0.02, 1.3, -0.001, 3e-4, {"optimizer.name": "lion"}),
    "rho1": ("arm", 0.004, 0.0012, 0.02, 1.1, -0.001, 8e-3, {"objective.name": "rho1", "objective.keep": 0.6}),
    "ademamix": ("arm", -0.002, 0.0012, 0.0, 1.0, 0.0, 1e-3, {"optimizer.name": "ademamix"}),
    "placebo": ("placebo", 0.0, 0.0010, 0.0, 1.0, 0.0, 2e-3, {"data.order": 1}),
    "half-rate": ("half-rate", 0.010, 0.0012, 0.03, 1.2, -0.001, 1e-3, {}),
}
UNTUNED = ("placebo", "half-rate")


def made_up(n_params=25_000, width=32, margin=0.003, seeds=SEEDS):
    """A bench at one size. Larger sizes have lower losses, and larger effects."""
    larger = math.log(n_params / 25_000)
    rng = np.random.default_rng(width)
    shared = {seed: 1.80 - 0.08 * larger + 0.004 * rng.standard_normal() for seed in seeds}
    baseline = _arm(rng, "adamw", "baseline", shared, (0.0, 0.0005, 0.0, 1.0, 0.0), 2e-3, {}, larger)
    arms = [
        _arm(rng, name, kind, shared, (effect * (1 + 0.3 * larger), *rest), lr, settings, larger)
        for name, (kind, effect, *rest, lr, settings) in ARMS.items()
    ]
    runs = arms[5].runs
    arms[5] = replace(arms[5], runs=(*runs[:2], replace(runs[2], loss=math.inf, movement={}), *runs[3:]))
    arms[4] = replace(arms[4], at_edge=True, notes=("other-decay",))
    arms.append(_bigram())
    horizons = tuple(
        HorizonResult(at, seed, round(at * HORIZON * TOKENS_PER_STEP), shared[seed] - 0.035 * math.log(at))
        for at in (0.5, 1.0, 1.5, 2.0)
        for seed in seeds
    )
    size = BenchSize(f"{n_params // 1000}k", n_params, width)
    return BenchResult(
        "first", "c0ffee" * 4, size, baseline, tuple(arms), margin, tuple(seeds), HORIZON, TOKENS_PER_STEP, "loss",
        horizons, NGRAMS, final_tokens=131_072, complete=True,
    )  # fmt: skip


def _arm(rng, name, kind, shared, effects, lr, settings, larger):
    effect, noise, on_L_d, factor, on_r_d = effects
    runs = tuple(
        _run(rng, seed, loss, effect + noise * rng.standard_normal(), on_L_d, factor, on_r_d, kind)
        for seed, loss in shared.items()
    )
    grid = [lr * 2.0**k for k in ((-4, -3, -2, -1, 0) if name == "rho1" else (-2, -1, 0, 1, 2))]
    tuned = lr * math.exp(-0.3 * larger) * 1.15
    rates = [RateResult(rate, 0, 1.9 + effect + 0.012 * math.log2(rate / tuned) ** 2) for rate in grid]
    if name == "ademamix":
        rates[-1] = replace(rates[-1], loss=math.inf)
    rates += [RateResult(rate, 0, 1.8 + effect + 0.012 * math.log2(rate / tuned) ** 2, full=True) for rate in grid[2:4]]
    identity = None if kind != "arm" else IdentityCheck("no-op", 0.0, 0.0, True, "adamw")
    if name in ("muon", "lion"):
        identity = IdentityCheck("golden", 3e-16, 1e-12, True, "the rule written out in NumPy")
    return ArmResult(name, kind, settings, identity, () if kind in UNTUNED else tuple(rates), lr, False, runs)


def _run(rng, seed, shared, above, on_L_d, factor, on_r_d, kind):
    loss = shared + above
    L_d, t_d, r_d = 2.0 + on_L_d + 0.01 * rng.standard_normal(), 8_000 * factor, 0.035 + on_r_d
    t_d, r_d = t_d * math.exp(0.05 * rng.standard_normal()), r_d + 0.0005 * rng.standard_normal()
    verdict = "cannot-tell" if seed == 17 and factor > 1 else "decelerates"
    if verdict == "cannot-tell":
        L_d = t_d = r_d = math.nan
    end = loss + 0.03
    losses = tuple(end * (HORIZON / step) ** 0.07 * (1 + (8_000 * factor / step) ** 2) ** 0.08 for step in STEPS)
    curve = RunCurve(STEPS, tuple(step * TOKENS_PER_STEP for step in STEPS), losses)
    paid = 2.6 + 12 * above + 0.02 * rng.standard_normal()
    movement = {"raw": _movement(paid + 0.5), "last:64": _movement(paid)}
    return RunResult(
        seed, loss, L_d, t_d, r_d, verdict, movement, tokens=HORIZON * TOKENS_PER_STEP * 6 // 5, flops=2.5e12 * factor,
        seconds=131.0 * factor, peak_memory=4.1e8, weights=f"w{seed}", batches=f"{kind == 'placebo'}{seed}",
        held_out="h", curve=curve,
    )  # fmt: skip


def _movement(paid):
    """EqualLoss whose movement per nat rises as the loss falls."""
    rise = dict(zip(LEVELS[1:], (0.5, 0.8, 1.4), strict=True))

    def interval(a, b):
        M = paid * rise[b] * (a - b)
        return LossInterval(a, b, M, 1 - (a - b) / M, 1e4 / a**4, 1e4 / b**4, 16_384)

    return EqualLoss(
        tuple(interval(*ends) for ends in pairwise(LEVELS)),
        (interval(2.6, 2.2), interval(2.2, 1.9), interval(1.9, 1.7)),
    )


def _bigram():
    parts = tuple(
        LossInterval(a, b, M, 1 - (a - b) / M, 100.0, 200.0, 16_384)
        for a, b, M in ((3.0, 2.8, 0.21), (2.8, 2.7, 0.14), (2.7, 2.65, 0.26))
    )
    run = RunResult(10, 2.62, movement={"raw": EqualLoss(parts, ())}, weights="", batches="", held_out="h")
    return ArmResult("bigram", "bigram", {}, None, (), math.nan, False, (run,))
