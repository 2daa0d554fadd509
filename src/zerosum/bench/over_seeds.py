"""What figures of a bench draw: loss curves, their paired differences and movement, as means over seeds."""

from zerosum.bench.measures import NATS
from zerosum.bench.results import ArmResult, RunCurve
from zerosum.estimate import Estimate
from zerosum.interference import over_repeats

Means = list[tuple[float, Estimate]]
"""A place on an axis, and the mean over seeds there with Student's t interval."""


def mean_curve(arm: ArmResult) -> Means:
    """Held-out loss at the training tokens that every seed logged."""
    logs = [_by_tokens(run.curve) for run in arm.runs if run.curve.tokens]
    shared = sorted(set.intersection(*map(set, logs))) if logs else []
    return [(float(at), over_repeats([log[at] for log in logs], "seeds", NATS)) for at in shared]


def mean_difference(arm: ArmResult, baseline: ArmResult) -> Means:
    """Held-out loss, arm minus baseline of the same seed, at the training tokens that all these runs logged."""
    of_baseline = {run.seed: _by_tokens(run.curve) for run in baseline.runs if run.curve.tokens}
    pairs = [
        (_by_tokens(run.curve), of_baseline[run.seed])
        for run in arm.runs
        if run.curve.tokens and run.seed in of_baseline
    ]
    shared = sorted(set.intersection(*(set(log) for pair in pairs for log in pair))) if pairs else []
    return [(float(at), over_repeats([a[at] - base[at] for a, base in pairs], "seeds", NATS)) for at in shared]


def mean_movement(arm: ArmResult, weights: str, number: str) -> Means:
    """M per nat ("per_nat") or D ("D") between neighbouring preset losses, at the middle, from high to low."""
    runs = [run.movement[weights] for run in arm.runs if weights in run.movement]
    ends = sorted({(one.L_a, one.L_b) for run in runs for one in run.parts}, reverse=True)
    values = [[float(getattr(one, number)) for run in runs if (one := run.over(*pair))] for pair in ends]
    return [(sum(pair) / 2, over_repeats(one, "seeds")) for pair, one in zip(ends, values, strict=True)]


def _by_tokens(curve: RunCurve) -> dict[int, float]:
    return dict(zip(curve.tokens, curve.losses, strict=True))
