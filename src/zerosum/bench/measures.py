"""What of a run is compared between arms, seed by seed. Of all of it only the primary measure decides a verdict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from zerosum.bench.results import ArmResult, BenchResult, RunResult
from zerosum.deceleration.decomposition import Line, split

NATS = "nats per token"
BREAK = ("L_d", "t_d", "r_d")
BySeed = dict[int, float]


@dataclass(frozen=True)
class Measure:
    """name: in JSON. unit: "" for a ratio. of: its value in a run, NaN where there is none. always: shown even so."""

    name: str
    unit: str
    of: Callable[[RunResult], float]
    always: bool = False

    def by_seed(self, arm: ArmResult) -> BySeed:
        """Its values by seed."""
        return {run.seed: self.of(run) for run in arm.runs}


def measures(result: BenchResult) -> tuple[Measure, ...]:
    """The measures that a run of this bench has a value of, and those that are always shown."""
    runs = [run for arm in (result.baseline, *result.arms) for run in arm.runs]
    known = (
        Measure("loss", NATS, lambda run: run.loss, always=True),
        Measure("L_d", NATS, lambda run: run.L_d, always=True),
        Measure("t_d", "steps", lambda run: run.t_d, always=True),
        Measure("r_d", "", lambda run: run.r_d, always=True),
        Measure("systematic_share", "", lambda run: run.systematic_share),
        Measure("conflict_rate", "", lambda run: run.conflict_rate),
        Measure("seconds", "s", lambda run: run.seconds),
        Measure("peak_memory", "bytes", lambda run: run.peak_memory),
    )
    return tuple(one for one in known if one.always or any(math.isfinite(one.of(run)) for run in runs))


def terms(arm: ArmResult, baseline: ArmResult, horizon_steps: int) -> Mapping[str, BySeed]:
    """Arm minus baseline at the end of the horizon, by the lines after the break: what L_d, t_d and r_d add to it.

    Nats per token by seed; NaN where one of the two runs has no break.
    """
    of_baseline = {run.seed: run for run in baseline.runs}
    pairs = {run.seed: (of_baseline[run.seed], run) for run in arm.runs if run.seed in of_baseline}
    split_of = {seed: _split(*pair, horizon_steps) for seed, pair in pairs.items()}
    return {f"loss_by_{name}": {seed: one[name] for seed, one in split_of.items()} for name in BREAK}


def _split(baseline: RunResult, arm: RunResult, horizon_steps: int) -> dict[str, float]:
    numbers = np.array([(run.L_d, run.t_d, run.r_d, horizon_steps) for run in (baseline, arm)])
    if not np.isfinite(numbers).all():
        return dict.fromkeys(BREAK, math.nan)
    numbers[:, [0, 1, 3]] = np.log(numbers[:, [0, 1, 3]])
    return {name: value.item() for name, value in split(*(Line(*row[:, None]) for row in numbers)).items()}
