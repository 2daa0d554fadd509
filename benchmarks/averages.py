"""What averages of weights cost training: python benchmarks/averages.py

The first table has CPU times of one thread, medians over steps of one run: an update, and the work of the callback
`averages` in the same step. The second has whole runs in turn, with and without averages, checkpoints included.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from zerosum.recipes import demo_suite
from zerosum.training import batch, train
from zerosum.training.averages import AveragedWeights
from zerosum.training.callback_runner import CallbackRunner
from zerosum.training.changes import with_changes
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state
from zerosum.training.step import optimizer_step

AVERAGES = {"last:64": ["last:64"], "last:64, ema:0.995": ["last:64", "ema:0.995"]}
STEPS, PAIRS, RUN_STEPS = 60, 7, 512


def milliseconds(work: Callable[[], object]) -> float:
    """CPU time of one call."""
    start = process_time()
    work()
    return 1_000 * (process_time() - start)


def costs(recipe: Recipe, averages: list[str]) -> tuple[float, float]:
    """Milliseconds of a step, and of the callback in it; all steps lie in a window."""
    averaging = with_changes(recipe, {"averages": averages, "steps": STEPS})
    state, runner = new_state(averaging), CallbackRunner([AveragedWeights(averaging)])
    steps, own = [], []
    for step in range(STEPS - 1):
        tokens = batch(averaging, step)
        begin = process_time()
        result = optimizer_step(state, tokens)
        steps.append(1_000 * (process_time() - begin))
        own.append(milliseconds(lambda tokens=tokens, result=result: runner.after_step(state, tokens, result)))
    return median(steps[1:]), median(own[1:])


def pair(recipe: Recipe, averages: list[str]) -> tuple[float, float]:
    """Milliseconds a step of a whole run without and with averages."""
    with TemporaryDirectory() as folder:
        plain = milliseconds(lambda: train(recipe, Path(folder) / "plain"))
        averaging = with_changes(recipe, {"averages": averages})
        averaged = milliseconds(lambda: train(averaging, Path(folder) / "averaged"))
    return plain / recipe.steps, averaged / recipe.steps


def main() -> None:
    print("| size | averages | step, ms | averages in it, ms | share |\n|---|---|---|---|---|")
    for recipe in demo_suite():
        for name, averages in AVERAGES.items():
            step, own = costs(recipe, averages)
            print(f"| {recipe.name} | {name} | {step:.2f} | {own:.3f} | {own / step:.2%} |", flush=True)
    print(
        f"\n| size | averages | run of {RUN_STEPS} steps, ms a step | with averages | ratio, median of {PAIRS} pairs |"
    )
    print("|---|---|---|---|---|")
    smallest = with_changes(demo_suite()[0], {"steps": RUN_STEPS})
    for name, averages in AVERAGES.items():
        pairs = [pair(smallest, averages) for _ in range(PAIRS)]
        plain, averaged = (median(times) for times in zip(*pairs, strict=True))
        ratio = median(averaged / plain for plain, averaged in pairs)
        print(f"| {smallest.name} | {name} | {plain:.2f} | {averaged:.2f} | {ratio:.3f} |", flush=True)


if __name__ == "__main__":
    main()
