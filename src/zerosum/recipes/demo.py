"""The suite that `zerosum demo` trains."""

from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import BatchRecipe, Recipe

# Width, heads, width inside the MLP. Larger models break too late to be sure of it within four minutes.
_SIZES = {"17k": (24, 1, 112), "25k": (32, 1, 128), "40k": (48, 2, 128)}
_STEPS, _QUICK = 32_768, 1_024


def demo_suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
    """Three sizes of about 17k, 25k and 40k parameters, named after their true count. They differ in width alone.

    Many small steps, so that the loss breaks well below the loss of the bigram model of the text, near step 8,000. The
    learning rate is constant and nothing decays. Batches of 256 tokens have noisy losses, so the held-out loss is
    logged at 60 steps in each factor of ten, and fitted. quick: 1,024 steps, enough to see every part work.

    >>> [(recipe.name, recipe.steps) for recipe in demo_suite(seed=0, quick=True)]
    [('17k', 1024), ('25k', 1024), ('40k', 1024)]
    """
    return [_recipe(size, seed, _QUICK if quick else _STEPS) for size in _SIZES]


def _recipe(size: str, seed: int, steps: int) -> Recipe:
    width, heads, inner = _SIZES[size]
    model = {"hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": heads, "intermediate_size": inner}
    return Recipe(
        name=size,
        seed=seed,
        steps=steps,
        model=ModelRecipe.model_validate(model),
        batch=BatchRecipe(sequences=4, length=64),
        optimizer=AdamWSettings(lr=3e-3, betas=(0.9, 0.95), weight_decay=0.0),
        held_out=64,
        held_out_per_decade=60,
        averages=("last:64",),
        resume_every=2_048,
    )
