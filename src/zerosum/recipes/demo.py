"""The suite that `zerosum demo` trains: three sizes whose loss decelerates within minutes on two CPU cores."""

from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import Recipe

# One layer: a second one learns its own tricks late (near step 400), which puts a bump on the line after the break.
_SIZES = {"25k": (32, 1, 128), "100k": (96, 3, 133), "250k": (160, 5, 220)}  # width, heads, width inside the MLP
# Rates that fall with the width let every size learn at the same pace, so that the breaks lie near each other, far from
# both ends of the run (Yang et al. 2022, arXiv 2203.03466). At twice this rate the
# loss breaks near step 100 or sooner, too near to the first fitted step.
_RATE_TIMES_WIDTH = 0.0224


def demo_suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
    """Three sizes of about 25k, 100k and 250k parameters, named after their true count.

    They differ in their widths and learning rate alone. The loss breaks near step 150 to 250, at about 2.6 nats.
    quick: 256 steps instead of 2,048, enough to see every part work.

    >>> [(recipe.name, recipe.optimizer.lr) for recipe in demo_suite(seed=0, quick=True)]
    [('25k', 0.0007), ('100k', 0.000233), ('250k', 0.00014)]
    """
    steps = 256 if quick else 2048
    return [
        Recipe(
            name=name,
            seed=seed,
            steps=steps,
            model=ModelRecipe.model_validate(
                {
                    "hidden_size": width,
                    "num_hidden_layers": 1,
                    "num_attention_heads": heads,
                    "intermediate_size": inner,
                }
            ),
            optimizer=AdamWSettings(lr=round(_RATE_TIMES_WIDTH / width, 6), betas=(0.9, 0.95), weight_decay=0.1),
        )
        for name, (width, heads, inner) in _SIZES.items()
    ]
