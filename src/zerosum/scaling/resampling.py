"""Parameters of a law refitted to resampled tables: the uncertainty that runs, not checkpoints, bring."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from zerosum.scaling.noise import FEWEST_RUNS, Noise
from zerosum.scaling.objective import Objective
from zerosum.scaling.search import Minimum
from zerosum.scaling.table import NORMAL


@dataclass(frozen=True)
class Resampled:
    """theta: [R p] of each draw. method: in words. over_runs: whole runs were drawn."""

    theta: Float[np.ndarray, "R p"]
    method: str
    over_runs: bool


def resample(best: Minimum, noise: Noise, run: Int[np.ndarray, " n"], draws: int, seed: int) -> Resampled:
    """Refit the law to `draws` tables of runs drawn with replacement. run: number of the run of each point.

    With fewer than 8 runs, of which too many draws would miss the sizes that decide: to the fitted values plus
    residuals whose signs are flipped by blocks of checkpoints within runs, and widened to the standard errors of
    `noise`, which know what the checkpoints of a run share, and to Student's t.
    """
    rng = np.random.default_rng(seed)
    G = int(run.max()) + 1
    goal = best.objective
    if G >= FEWEST_RUNS:
        weight = rng.multinomial(G, np.full(G, 1 / G), draws)[:, run].astype(float)
        drawn = Objective(goal.terms, goal.log_y, weight, goal.delta, goal.in_log)
        method = f"bootstrap over {G} runs"
    else:
        fitted = goal.terms.value(best.theta[None])
        n, p = len(run), len(best.theta)
        residual = (goal.log_y - fitted) * np.sqrt(n / max(n - p, 1))
        block = blocks_of(run)
        sign = rng.choice([-1.0, 1.0], (draws, int(block.max()) + 1))[:, block]
        drawn = Objective(goal.terms, fitted + sign * residual, goal.weight, goal.delta, goal.in_log)
        method = f"residuals resampled by blocks within {G} runs"
    low, high = best.law.ends(goal.log_y[0])
    theta, _ = drawn.minimised(np.tile(best.theta, (draws, 1)), low, high)
    if G < FEWEST_RUNS:
        places = [best.law.names.index(name) for name in best.law.exponents]
        error = np.sqrt(np.diag(noise.covariance))[places] / np.maximum(theta.std(axis=0)[places], 1e-300)
        factor = max(1.0, float(error.max())) * noise.t / NORMAL
        theta = np.clip(best.theta + factor * (theta - best.theta), low, high)
    return Resampled(theta, method, G >= FEWEST_RUNS)


def blocks_of(run: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Number of the block of each point: about sqrt(m) consecutive points of a run of m.

    >>> blocks_of(np.array([0, 0, 0, 0, 1, 1])).tolist()
    [0, 0, 1, 1, 2, 2]
    """
    block = np.empty(len(run), dtype=int)
    used = 0
    for number in range(int(run.max()) + 1):
        places = np.flatnonzero(run == number)
        parts = np.array_split(places, max(1, round(np.sqrt(len(places)))))
        for part in parts:
            block[part] = used
            used += 1
    return block
