"""Simulated studies with known truth: paired arms, movement over equal-loss intervals, speed-up."""

import math

import numpy as np

from zerosum.comparison import equal_loss, paired_differences, speed_up, verdict_of

SD_SEEDS = 0.004  # nats, between seeds of one arm
LEVELS = (2.4, 1.9)


def study(seed, n, effects, sd, tail="normal"):
    """Differences of arms with the given true effects. sd: of the differences; arms share the baseline's half of it."""
    rng = np.random.default_rng([seed, n, len(effects)])
    draw = {"normal": lambda *shape: rng.normal(0, 1, shape), "heavy": lambda *shape: rng.standard_t(5, shape) / 1.291}
    shared = rng.normal(1.6, SD_SEEDS, n)
    baseline = shared + draw[tail](n) * sd / math.sqrt(2)
    arms = [shared + effect + draw[tail](n) * sd / math.sqrt(2) for effect in effects]
    by_seed = [dict(enumerate(values.tolist())) for values in (baseline, *arms)]
    return paired_differences({str(k): (by_seed[0], arm) for k, arm in enumerate(by_seed[1:])})


def measure_study(seed, n, effects, sd, margin, tail="normal"):
    """Whether the first interval covers, whether an arm without effect is found, verdicts of the first and last arm."""
    found = study(seed, n, effects, sd, tail)
    names = list(found)
    false = [name for name, effect in zip(names, effects, strict=True) if effect == 0 and found[name].p <= 0.05]
    return {
        "covers": not found[names[0]].mean.excludes(effects[0]),
        "false": bool(false),
        "first": verdict_of(found[names[0]], margin),
        "last": verdict_of(found[names[-1]], margin),
    }


def movement_of(rng, w, faster, noise, tokens=200, every=8):
    """EqualLoss of a run whose tokens move by +-w g(L), g(L) = -3 log L, around the mean loss 4 + L.

    While w times the change of g exceeds that of L, M from L_a to L_b is exactly 3 w log(L_a / L_b). faster: factor in
    steps. noise: sd of the mean loss of a checkpoint along the path, and of other movement of tokens.
    """
    step = np.unique(np.round(64 * 2 ** (np.arange(7 * every + 1) / every)))
    L = 6.2 * (faster * step) ** -0.17 * (1 + noise * rng.normal(size=len(step)))
    sign = np.where(np.arange(tokens) % 2, 1.0, -1.0)
    other = rng.normal(size=tokens)
    other -= np.array([other[sign > 0].mean(), other[sign < 0].mean()])[(sign < 0).astype(int)]
    swing = noise * rng.normal(size=len(step))
    losses = 4 + L[:, None] - 3 * w * np.log(L)[:, None] * sign + swing[:, None] * other
    return equal_loss(step.tolist(), losses, [4 + level for level in LEVELS])


def movement_study(seed, n=6, shift=0.1, faster=2.0, noise=0.01):
    """Paired difference of M per nat over an interval, and its true value. faster: the arm, in steps."""
    rng = np.random.default_rng([seed, 1])
    w = 1 + rng.normal(0, 0.05, n)
    pairs = [
        (movement_of(rng, a, 1.0, noise), movement_of(rng, a + shift + rng.normal(0, 0.02), faster, noise)) for a in w
    ]
    ends = [4 + level for level in LEVELS]
    baseline, arm = ({k: pair[which].over(*ends).per_nat for k, pair in enumerate(pairs)} for which in (0, 1))
    true = 3 * shift * math.log(LEVELS[0] / LEVELS[1]) / (LEVELS[0] - LEVELS[1])
    return paired_differences({"arm": (baseline, arm)})["arm"].mean, true


def wandering_of(rng, ratio, tokens=600, noise=0.0):
    """EqualLoss of a run whose tokens wander, over an interval crossed within a factor of steps, and its true M.

    Each token's loss goes its own random walk in log step beside a mean of 5 step^-0.15. noise: sd of the mean loss of
    a checkpoint. Checkpoints every 2^(1/8), walks and crossings on a grid of 2^(1/32).
    """
    octaves = np.arange(12 * 32) / 32
    walk = np.cumsum(rng.normal(0, 0.5 / math.sqrt(32), (len(octaves), tokens)), axis=0)
    mean = 5 * (32 * 2**octaves) ** -0.15
    losses = mean[:, None] + walk - walk.mean(axis=1, keepdims=True)
    first = 180 + int(rng.integers(0, 32))
    last = first + round(32 * math.log2(ratio))
    seen = slice(int(rng.integers(0, 4)), None, 4)
    measured = losses[seen] + noise * rng.normal(size=(len(octaves[seen]), 1))
    found = equal_loss((32 * 2 ** octaves[seen]).tolist(), measured, [mean[first], mean[last]])
    return found, float(np.abs(losses[last] - losses[first]).mean())


def speed_study(seed, multiple, n=6, sd=0.002):
    """Speed-up of an arm that has the loss of the baseline at `multiple` times the horizon, with noise in all runs."""
    rng = np.random.default_rng([seed, 2])
    own = rng.normal(0, SD_SEEDS, n)

    def loss(at):
        return dict(enumerate((1.6 - 0.03 * math.log(at) + own + rng.normal(0, sd, n)).tolist()))

    return speed_up(loss(multiple), {at: loss(at) for at in (0.5, 1.0, 1.5, 2.0)})
