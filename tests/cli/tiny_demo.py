"""`zerosum demo` with a suite so small that it trains in seconds: python tiny_demo.py demo --out DIR ...

Other verbs work too. Tests start it as a process of its own, because they kill it, limit it and read its exit code.
"""

import os
import sys

import zerosum.recipes
from zerosum.cli import main
from zerosum.tokens import ngrams
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.models import count_parameters
from zerosum.training.recipe import BatchRecipe, Recipe

TINY = [sys.executable, __file__]
DEMO = [*TINY, "demo"]
BLANK = os.environ | {"ZEROSUM_TESTS_DRAW_NOTHING": "1"}
"""Environment of a process whose figures are empty: to draw them takes seconds, and is tested elsewhere."""


def tiny_suite(seed: int = 0, quick: bool = False) -> list[Recipe]:
    models = [
        ModelRecipe(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=width,
            max_position_embeddings=32,
        )
        for width in (16, 32)
    ]
    return [
        Recipe(
            name=f"tiny {count_parameters(model)} <script>alert(1)</script>",
            seed=seed,
            steps=64,
            model=model,
            batch=BatchRecipe(sequences=24, length=32),
            resume_every=16,
        )
        for model in models
    ]


def draw_nothing() -> None:
    from zerosum.show import folder
    from zerosum.show.drawing import Drawing

    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
    folder.draw = lambda figure, report, for_print=False: Drawing(svg, svg, b"%PDF-")


def prepare() -> None:
    """Replaces the suite, and the drawing where the environment asks for it."""
    zerosum.recipes.demo_suite = tiny_suite
    ngrams.COUNTED = 1 << 16  # of the standard library's 27 million tokens: within milliseconds
    if "ZEROSUM_TESTS_DRAW_NOTHING" in os.environ:
        draw_nothing()


def prepare_with_a_full_disk() -> None:
    """No file may grow beyond a few thousand bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, resource.RLIM_INFINITY))
    prepare()


if __name__ == "__main__":
    prepare()
    main()
