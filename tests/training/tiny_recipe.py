"""A corpus of a few files and the recipe of a model that trains on it in milliseconds."""

from pathlib import Path

import numpy as np

from zerosum.training.corpora.python import PythonSettings
from zerosum.training.model_recipe import ModelRecipe
from zerosum.training.recipe import BatchRecipe, Recipe


def write_corpus(folder: Path) -> Path:
    """Forty small documents of different lengths, some with bytes that are not ASCII."""
    generator = np.random.default_rng(0)
    for number in range(40):
        words = [generator.choice(["def ", "return ", "x = 1\n", "café ", "λ "]) for _ in range(10 + 5 * number)]
        (folder / f"document_{number:02}.py").write_text("".join(words), encoding="utf-8")
    return folder


def tiny_recipe(corpus: Path, **more: object) -> Recipe:
    """Twelve steps in well under a second; every third step is one to resume from. more: other values of the recipe."""
    values = {
        "name": "tiny",
        "seed": 5,
        "steps": 12,
        "model": ModelRecipe(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, max_position_embeddings=8
        ),
        "data": PythonSettings(folder=str(corpus), held_out_share=0.3),
        "batch": BatchRecipe(sequences=4, length=8),
        "resume_every": 3,
        "threads": 1,
    }
    return Recipe.model_validate(values | more)
