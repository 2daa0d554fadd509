"""The suite that `zerosum demo` trains."""

from zerosum.recipes.tiny import tiny
from zerosum.training.recipe import Recipe

_SIZES = ("25k", "100k", "250k")


def demo_suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
    """Three sizes of about 25k, 100k and 250k parameters, named after their true count.

    They differ in their widths and learning rate alone. The loss breaks near step 150 to 250, at about 2.6 nats.
    quick: 256 steps instead of 2,048, enough to see every part work.

    >>> [(recipe.name, recipe.optimizer.lr) for recipe in demo_suite(seed=0, quick=True)]
    [('25k', 0.0007), ('100k', 0.000233), ('250k', 0.00014)]
    """
    # No held-out losses in the log: the demo measures the losses of all checkpoints itself.
    changes = {"seed": seed, "held_out": 0, "averages": ("last:64",), **({"steps": 256} if quick else {})}
    return [tiny(size).model_copy(update={"name": size, **changes}) for size in _SIZES]
