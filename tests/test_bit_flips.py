"""A single bit flipped in any file of any store is found, and the file is named."""

import pytest

pytest.importorskip("torch")
from bit_flips import READ, measured_stores, missed


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return measured_stores(tmp_path_factory.mktemp("stores"))


@pytest.mark.parametrize(("name", "number"), [("losses.zarr", 34), ("gradients.zarr", 60), ("dissent", 20)])
def test_every_flip_is_found(stores, name, number):
    assert list(missed(stores, name, number)) == []
    READ[name](stores / name)  # whole again
