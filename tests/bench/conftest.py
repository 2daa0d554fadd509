import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "training"))

from bench_content import tiny_content
from tiny_recipe import write_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def module_content(corpus: Path) -> dict:
    return tiny_content(corpus)


@pytest.fixture
def content(module_content: dict) -> dict:
    return dict(module_content)


@pytest.fixture
def file(tmp_path: Path, content: dict) -> Path:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "tiny.yaml"
