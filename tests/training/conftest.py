"""The tiny corpus and its recipe."""

from pathlib import Path

import pytest
from tiny_recipe import tiny_recipe, write_corpus

from zerosum.training.recipe import Recipe


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty small documents of different lengths, some with bytes that are not ASCII."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def recipe(corpus: Path) -> Recipe:
    """Twelve steps in well under a second; every third step is one to resume from."""
    return tiny_recipe(corpus)
