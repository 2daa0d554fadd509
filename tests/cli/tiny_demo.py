"""`zerosum demo` with a suite so small that it trains in seconds: python tiny_demo.py demo --out DIR ..."""

import zerosum.recipes
from zerosum.cli import main
from zerosum.training.recipe import BatchRecipe, ModelRecipe, Recipe


def tiny_suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
    models = [ModelRecipe(hidden_size=16, layers=1, heads=1, intermediate_size=width, context=32) for width in (16, 32)]
    return [
        Recipe(
            name=f"tiny {model.n_parameters} <script>alert(1)</script>",
            seed=seed,
            steps=64,
            model=model,
            batch=BatchRecipe(sequences=24, length=32),
            resume_every=16,
        )
        for model in models
    ]


if __name__ == "__main__":
    zerosum.recipes.demo_suite = tiny_suite
    main()
