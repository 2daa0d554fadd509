"""Every key of the JSON of `zerosum gradients` and `zerosum dissent` is explained, and every null has its reason."""

from pathlib import Path

import pytest
from tiny import VOCABULARY, tiny_model

import zerosum
import zerosum.gradients

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
OF_GRADIENTS, OF_DISSENT = (DOCUMENTED.index(f"## `zerosum {verb}`") for verb in ("gradients", "dissent"))


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, VOCABULARY, (24, 13), generator=torch.Generator().manual_seed(0)).numpy()


@pytest.fixture(scope="module")
def documents(model, ids):
    """Exact, sampled and positionwise, with and without an update."""
    update = {name: 1e-3 * torch.randn_like(one) for name, one in model.named_parameters()}
    return [
        zerosum.gradient_interference(model, ids, u, method=method, n_sampled=48).to_json()
        for method in ("exact", "sampled", "positionwise")
        for u in (update, None)
    ]


def tables(one):
    """Every mapping in a document."""
    if isinstance(one, dict):
        yield one
        for inner in one.values():
            yield from tables(inner)
    elif isinstance(one, list):
        for inner in one:
            yield from tables(inner)


def unexplained(documents, section):
    keys = {key for one in documents for table in tables(one) for key in table if not key.endswith(("_reason", "%"))}
    return {key for key in keys if f"`{key}`" not in section}


def test_every_key_of_gradients_is_explained(documents):
    assert unexplained(documents, DOCUMENTED[OF_GRADIENTS:OF_DISSENT]) == set()


def test_every_key_of_dissent_is_explained(model, ids):
    assert unexplained([zerosum.gradients.dissent(model, ids).to_json()], DOCUMENTED[OF_DISSENT:]) == set()


def test_every_null_has_a_reason_beside_it(documents):
    for one in documents:
        for table in tables(one):
            for name, value in table.items():
                if value is None:
                    assert table[f"{name}_reason"], name
