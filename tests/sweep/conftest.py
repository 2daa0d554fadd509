import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from tiny_recipe import tiny_recipe, write_corpus


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sweep of two rates and two seeds over a recipe of twelve tiny steps."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (tmp_path / "tiny.yaml").write_text(tiny_recipe(write_corpus(corpus)).to_yaml())
    content = {
        "recipes": ["tiny.yaml"],
        "seeds": [0, 1],
        "grid": {"optimizer.lr": ["1e-3", 0.01]},
        "set": {"held_out": 4},
    }
    (tmp_path / "rates.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "rates.yaml"
