"""The suite that `zerosum demo` trains: three sizes whose loss decelerates within minutes on two CPU cores."""

from zerosum.training.recipe import ModelRecipe, Recipe

# Heads of width 32: fewer, wider heads cost less time than many narrow ones, and the loss does not mind.
_SIZES = (
    ModelRecipe(hidden_size=32, heads=1, intermediate_size=44),
    ModelRecipe(hidden_size=64, heads=2, intermediate_size=132),
    ModelRecipe(hidden_size=96, heads=3, intermediate_size=262),
)


def demo_suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
    """Three sizes of about 25k, 100k and 250k parameters, named after their true count; all else is the same.

    At rate 5e-4 with one warm-up step the loss breaks near step 150 to 200, well inside the run; at a higher rate it
    breaks too early to be measured. quick: 256 steps instead of 2,048, enough to see every part work.
    One thread each: at these sizes a second one gains nothing (110 against 114 ms for a step of all three, measured
    on two cores), and two threads that wait for each other slow down several times when anything else runs.

    >>> [recipe.name for recipe in demo_suite(seed=0, quick=True)]
    ['25k', '100k', '250k']
    """
    steps = 256 if quick else 2048
    return [Recipe(name=f"{model.n_parameters / 1000:.0f}k", seed=seed, steps=steps, model=model) for model in _SIZES]
