"""The recipe of tests/training, and tokens of a tiny model."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "training"))

from tiny_recipe import tiny_recipe, write_corpus

from zerosum.training.recipe import Recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """Twelve steps in well under a second; every third step is one to resume from."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    return tiny_recipe(write_corpus(folder))
