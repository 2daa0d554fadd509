"""A bench that runs in seconds: one arm, two seeds and three rates, over runs of eight tiny steps."""

from pathlib import Path

from tiny_recipe import tiny_recipe


def tiny_content(corpus: Path) -> dict:
    """What its file holds."""
    recipe = tiny_recipe(corpus, steps=8, resume_every=8).model_dump(mode="json")
    return {
        "recipes": {"tiny": recipe},
        "set": {"optimizer.lr": "6.4e-2"},
        "arms": {"lion": {"optimizer.kind": "lion", "optimizer.lr": 0.016}},
        "seeds": 2,
        "rates": 3,
        "tuning_share": 0.5,
        "finalists": 1,
        "per_doubling": 1,
        "averages": [],
        "held_out": 4,
        "final_held_out": 8,
        "measured": 4,
        "speed_up": [1.0, 1.5],
    }
