"""What the verdict says of simulated curves: real breaks, warm-ups, several breaks, and too few points before a break.

    python benchmarks/verdicts.py > benchmarks/verdicts.md

Takes about two minutes on one core; `--curves 20` gives a quick first result.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import fit

START = np.log(10.9)  # of a vocabulary of 54,000
Made = Callable[[np.random.Generator], LossCurve]


def steps(rng: np.random.Generator, last: float) -> np.ndarray:
    """Rows of a log: in equal ratios, every few steps, or some thousand in all."""
    kind = rng.integers(3)
    if kind == 0:
        return np.unique(np.geomspace(1, last, int(rng.integers(150, 800))).round())
    every = float(rng.choice([1, 5, 10])) if kind == 1 else max(1.0, last // rng.integers(500, 3_000))
    return np.arange(every, last, every)[:40_000]


def curve(rng: np.random.Generator, step: np.ndarray, log_loss: np.ndarray) -> LossCurve:
    noise = 10 ** rng.uniform(-3, -1.7) * rng.normal(size=len(step))
    return LossCurve("simulated", step, np.exp(log_loss + noise))


def bent(step: np.ndarray, rates: tuple[float, ...], breaks: tuple[float, ...], width: float) -> np.ndarray:
    """Log loss in straight pieces over log step."""
    x = np.log(step)
    y = START - rates[0] * x
    for at, change in zip(breaks, np.diff(rates), strict=True):
        y = y - change * width * np.logaddexp(0, (x - np.log(at)) / width)
    return y


def one_break(rng: np.random.Generator, ratio: tuple[float, float]) -> LossCurve:
    last, after = 10 ** rng.uniform(3.7, 5), rng.uniform(0.02, 0.12)
    first = max(2.5 * min(100, last / 100), 150)
    at = 10 ** rng.uniform(np.log10(first), np.log10(last / 4))
    step = steps(rng, last)
    return curve(rng, step, bent(step, (after * rng.uniform(*ratio), after), (at,), rng.uniform(0.1, 0.6)))


def warm_up(rng: np.random.Generator, kind: str) -> LossCurve:
    """One power law after a linear warm-up of 60 to 2,800 steps, a fifth of the run at most.

    The loss follows progress, the sum of learning rates, held at ln(vocabulary) at first or leaving it gradually; or
    it is up to 40 % higher while the rate is low.
    """
    last, rate = 10 ** rng.uniform(3.5, 5), rng.uniform(0.05, 0.2)
    end, start = min(10 ** rng.uniform(1.8, 3.45), last / 5), 10 ** rng.uniform(0, 1.7)
    step = steps(rng, last)
    progress = np.where(step < end, step * step / (2 * end), step - end / 2)
    log_loss = {
        "held": np.minimum(START, START - rate * np.log(progress / start)),
        "gradual": START - rate * np.log(progress / start + 1),
        "higher": START
        - rate * np.log(step / start + 1)
        + np.log1p(rng.uniform(0.05, 0.4) * np.maximum(0, 1 - step / end)),
    }[kind]
    return replace(curve(rng, step, log_loss), lr=np.minimum(step / end, 1.0))


def three_stages(rng: np.random.Generator) -> LossCurve:
    last = 10 ** rng.uniform(3.9, 5)
    first = max(100, 0.01 * last) * 10 ** rng.uniform(0.4, 0.7)
    steep, flat = rng.uniform(0.25, 0.4, 2), rng.uniform(0.02, 0.08, 2)
    rates = (steep[0], flat[0], steep[1]) if rng.random() < 0.5 else (flat[0], steep[0], flat[1])
    step = steps(rng, last)
    return curve(rng, step, bent(step, rates, (first, first * rng.uniform(3, 5)), rng.uniform(0.05, 0.3)))


def few_before(rng: np.random.Generator, fewest: int, most: int) -> LossCurve:
    every, after = float(rng.choice([50, 100, 200])), rng.uniform(0.03, 0.15)
    step = every * np.arange(1, rng.integers(150, 500))
    at = every * (rng.integers(fewest, most + 1) + 0.5)
    return curve(rng, step, bent(step, (after + rng.uniform(0.05, 0.3), after), (at,), rng.uniform(0.05, 0.3)))


def logged(made: Made) -> Made:
    """The same curves with a constant learning rate, where they have none."""
    return lambda rng: (lambda c: c if c.lr is not None else replace(c, lr=np.ones(len(c))))(made(rng))


def unlogged(made: Made) -> Made:
    return lambda rng: replace(made(rng), lr=None)


KINDS: dict[str, Made] = {
    "no break, constant rate": logged(lambda rng: one_break(rng, (1, 1))),
    "a break, rate 3 to 5 times as large before it": logged(lambda rng: one_break(rng, (3, 5))),
    "the same, no rate logged": unlogged(lambda rng: one_break(rng, (3, 5))),
    "a break, rate 1.5 to 2.5 times as large before it": logged(lambda rng: one_break(rng, (1.5, 2.5))),
    "the same, no rate logged ": unlogged(lambda rng: one_break(rng, (1.5, 2.5))),
    **{
        f"warm-up, {words}, {how}": log(lambda rng, kind=kind: warm_up(rng, kind))
        for kind, words in (("held", "first flat"), ("gradual", "gradual start"), ("higher", "loss higher"))
        for how, log in (("rate logged", logged), ("no rate logged", unlogged))
    },
    "three stages": logged(three_stages),
    "a break after 2 to 5 rows": logged(lambda rng: few_before(rng, 2, 5)),
    "a break after 8 to 15 rows": logged(lambda rng: few_before(rng, 8, 15)),
}
HEAD = """# What the verdict says of simulated curves

Made by `python benchmarks/verdicts.py`: {curves} random curves of each kind, runs of 3,000 to 100,000 steps with noise
of 0.1 to 2 % of the loss in each row; percentages. `why not` names the most frequent blocking reasons.

Warm-ups of 60 to 2,800 steps before one power law: no break is there to be found. Without a logged rate the verdict
must not be firmer than with it. A break whose rate before is about twice that after it looks like the end of a warm-up.

| curves | decelerates | accelerates | no-break | cannot-tell | why not |
|---|---|---|---|---|---|"""


def row(name: str, made: Made, curves: int) -> str:
    fits = [fit(made(np.random.default_rng(seed))) for seed in range(curves)]
    words = Counter(found.verdict for found in fits)
    shares = (f"{100 * words[word] / curves:.0f}" for word in ("decelerates", "accelerates", "no-break", "cannot-tell"))
    codes = Counter(why.code for found in fits for why in found.reasons[:1] if why.level == "blocking")
    why_not = ", ".join(f"{code} {100 * count / curves:.0f}" for code, count in codes.most_common(3))
    return f"| {name.strip()} | {' | '.join(shares)} | {why_not} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=200)
    curves = parser.parse_args().curves
    print(HEAD.format(curves=curves))
    for name, made in KINDS.items():
        print(row(name, made, curves), flush=True)


if __name__ == "__main__":
    main()
