"""Milliseconds of one optimizer step of the demo's sizes, with one thread and with two: python benchmarks/train_step.py

Both in one run and in turns, so that the ratio holds when the machine's speed drifts; medians of 5 turns of 20 steps.
"""

from statistics import median
from time import perf_counter

from zerosum.recipes import demo_suite
from zerosum.training import batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state
from zerosum.training.step import optimizer_step

STEPS, TURNS, THREADS = 20, 5, (1, 2)


def turn(recipe: Recipe) -> float:
    """Milliseconds per step, after one step of warm-up."""
    state, batches = new_state(recipe), [batch(recipe, step) for step in range(STEPS + 1)]
    optimizer_step(state, batches[0])
    began = perf_counter()
    for tokens in batches[1:]:
        optimizer_step(state, tokens)
    return 1_000 * (perf_counter() - began) / STEPS


def main() -> None:
    print("| size | 1 thread, ms | 2 threads, ms | ratio |\n|---|---|---|---|")
    for recipe in demo_suite():
        times: dict[int, list[float]] = {threads: [] for threads in THREADS}
        for _ in range(TURNS):
            for threads in THREADS:
                times[threads].append(turn(recipe.model_copy(update={"threads": threads})))
        one, two = (median(times[threads]) for threads in THREADS)
        print(f"| {recipe.name} | {one:.1f} | {two:.1f} | {one / two:.2f} |")


if __name__ == "__main__":
    main()
