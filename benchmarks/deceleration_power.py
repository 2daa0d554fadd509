"""How often `fit` finds a break of a given size, noise and place; and how often it finds one where there is none.

    python benchmarks/deceleration_power.py > benchmarks/deceleration_power.md

Simulated curves with a learning rate that is logged and constant, robust procedure, default cut-off. Takes about ten
minutes of processor time on one core; `--curves 10` gives a quick first result.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from deceleration_calibration import BREAK_POSITIONS, GRID, LENGTHS, Log

from zerosum.curves import LossCurve
from zerosum.deceleration import BNSL, fit

R_BEFORE, WIDTH = 0.2, 0.3
CHANGES = (0.02, 0.04, 0.08, 0.12)  # r_before - r_d
NOISES = (0.01, 0.03)  # standard deviation of log loss for each row
RUN = Log(32_000)
EVERY = 50  # steps between two rows
# A run that was logged every 50 steps and broke early: 15 noisy points lie before its break.
FEW_BEFORE = BNSL.from_rates(np.log(4.0), 0.13, 0.087, np.log(844.0), np.log(WIDTH))


def share_found(law: BNSL, step: np.ndarray, residuals: Iterator[np.ndarray]) -> tuple[float, float]:
    """Percentage of curves with the verdict that there is a break, and of those with the verdict that there is none."""
    words = []
    for e in residuals:
        curve = LossCurve("simulated", step, np.exp(law.log_loss(step) + e), lr=np.full(len(step), 3e-4))
        words.append(fit(curve).verdict)
    return tuple(100 * float(np.mean(np.isin(words, kind))) for kind in (["decelerates", "accelerates"], ["no-break"]))


def white(step: np.ndarray, noise: float, curves: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    return (noise * rng.normal(size=len(step)) for _ in range(curves))


def false_alarms(curves: int) -> Iterator[str]:
    yield "| length | residuals | break found % | no break % |\n|---|---|---|---|\n"
    law = BNSL(b=11.0, c0=R_BEFORE, c1=0.0, d1=300.0, f1=WIDTH)
    for seed, (length, log) in enumerate(LENGTHS.items()):
        step = log.steps()[log.kept()]
        for name, residual in GRID.items():
            rng = np.random.default_rng(seed)
            found, none = share_found(law, step, (log.residuals(residual, rng) for _ in range(curves)))
            yield f"| {length} | {name} | {found:.1f} | {none:.0f} |\n"


def power(curves: int) -> Iterator[str]:
    yield "| logged | noise | break | r_before - r_d | break found % | no break % |\n|---|---|---|---|---|---|\n"
    seed = 100
    for every in (1, EVERY):
        step = np.arange(float(every), RUN.last_step + 1, every)
        for noise in NOISES:
            for position, share in BREAK_POSITIONS.items():
                for change in CHANGES:
                    seed += 1
                    place = np.log(100) + share * np.log(RUN.last_step / 100)
                    law = BNSL.from_rates(np.log(3.5), R_BEFORE, R_BEFORE - change, place, np.log(WIDTH))
                    found, none = share_found(law, step, white(step, noise, curves, seed))
                    label = "every step" if every == 1 else f"every {every} steps"
                    yield f"| {label} | {noise:g} | {position} | {change:g} | {found:.0f} | {none:.0f} |\n"
    step = np.arange(float(EVERY), RUN.last_step + 1, EVERY)
    for noise in (0.01, 0.02, 0.03):
        found, none = share_found(FEW_BEFORE, step, white(step, noise, curves, 99))
        yield f"| every {EVERY} steps | {noise:g} | 844, rates 0.13, 0.087 | 0.043 | {found:.0f} | {none:.0f} |\n"


HEAD = """# How often a break is found

Made by `python benchmarks/deceleration_power.py`: {curves} simulated curves in each cell. "Break found": the verdict is
`decelerates` (or `accelerates`); "no break": `no-break`; for the others the verdict is `cannot-tell`. The learning rate
is logged and constant.

## Power laws: false alarms

The residuals of [deceleration_calibration.md](deceleration_calibration.md) beside a power law of rate 0.2. The goal is
5 % or less.

"""
POWER = """
## Curves with a break

Runs of 32,000 steps with white noise; r_before {r_before:g}, width {width:g}; early, middle and late are 0.3, 0.5 and
0.7 of the fitted range in log step. A change of the rate below 15 % is never called a break.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=200)
    curves = parser.parse_args().curves
    print(HEAD.format(curves=curves), end="")
    for row in false_alarms(curves):
        print(row, end="", flush=True)
    print(POWER.format(r_before=R_BEFORE, width=WIDTH), end="")
    for row in power(curves):
        print(row, end="", flush=True)


if __name__ == "__main__":
    main()
