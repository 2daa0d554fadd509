"""Milliseconds of an optimizer step of the demo's models, with 1 and 2 threads: python benchmarks/train_step.py

One run times both in turn, so that the ratio holds when the speed of the machine drifts. The results are medians of 5
turns of 20 steps.
"""

from statistics import median
from time import perf_counter

from zerosum.recipes import demo_suite
from zerosum.training import batch
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state
from zerosum.training.step import optimizer_step

STEPS, TURNS, THREADS = 20, 5, (1, 2)


def milliseconds_per_step(recipe: Recipe) -> float:
    """Mean of STEPS optimizer steps, after one warm-up step."""
    state, batches = new_state(recipe), [batch(recipe, step) for step in range(STEPS + 1)]
    optimizer_step(state, batches[0])
    start = perf_counter()
    for tokens in batches[1:]:
        optimizer_step(state, tokens)
    return 1_000 * (perf_counter() - start) / STEPS


def main() -> None:
    print("| size | 1 thread, ms | 2 threads, ms | ratio |\n|---|---|---|---|")
    for recipe in demo_suite():
        times: dict[int, list[float]] = {threads: [] for threads in THREADS}
        for _ in range(TURNS):
            for threads in THREADS:
                times[threads].append(milliseconds_per_step(recipe.model_copy(update={"threads": threads})))
        with_1, with_2 = (median(times[threads]) for threads in THREADS)
        print(f"| {recipe.name} | {with_1:.1f} | {with_2:.1f} | {with_1 / with_2:.2f} |")


if __name__ == "__main__":
    main()
