"""What averages of weights cost training: python benchmarks/averages.py

CPU times of one thread: an update and the work of the callback `averages` in the same step, medians
over 60 steps in a window of `last:64` or 600 steps of an EMA, and the share of the demo's training that this makes: an
EMA is updated at every step, a mean of 64 at those in its windows.
"""

from collections.abc import Callable
from functools import partial
from statistics import median
from time import process_time

from zerosum.recipes import demo_suite
from zerosum.training import batch
from zerosum.training.averages import AveragedWeights
from zerosum.training.callback_runner import CallbackRunner
from zerosum.training.changes import with_changes
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state
from zerosum.training.step import optimizer_step

AVERAGES = {"last:64": ["last:64"], "last:64, ema:0.995": ["last:64", "ema:0.995"]}
STEPS = {"last:64": 60, "ema:0.995": 600}
WINDOW = 64


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = process_time()
    work()
    return 1_000 * (process_time() - start)


def costs(recipe: Recipe, average: str) -> tuple[float, float]:
    """Milliseconds of a step, and of the callback in it, where it has work."""
    averaging = with_changes(recipe, {"averages": [average], "steps": STEPS[average]})
    state, runner = new_state(averaging), CallbackRunner([AveragedWeights(averaging)])
    steps, own = [], []
    for step in range(averaging.steps - 1):
        tokens = batch(averaging, step)
        begin = process_time()
        result = optimizer_step(state, tokens)
        steps.append(1_000 * (process_time() - begin))
        own.append(milliseconds(partial(runner.after_step, state, tokens, result)))
    return median(steps[1:]), median(own[1:])


def share_of_steps(recipe: Recipe, average: str) -> float:
    """Share of the steps of a run at which the callback has work."""
    if not average.startswith("last"):
        return 1.0
    ends = recipe.checkpoint_steps
    return len({step for end in ends for step in range(max(1, end - WINDOW + 1), end + 1)}) / recipe.steps


def main() -> None:
    print("| size | averages | step, ms | averages in it, ms | share | of the steps | share of training |")
    print("|---|---|---|---|---|---|---|")
    for recipe in demo_suite():
        for average in STEPS:
            step, own = costs(recipe, average)
            of_steps = share_of_steps(recipe, average)
            cells = f"{step:.2f} | {own:.3f} | {own / step:.2%} | {of_steps:.1%} | {of_steps * own / step:.2%}"
            print(f"| {recipe.name} | {average} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
