"""Flipped bits of stores.

One bit of one file was flipped, N times for each store, in turn over all its files and then at random. Reading the
store has to end in an error that names the file; "missed" counts where it did not.
"""

from pathlib import Path

import pytest
from bit_flips import READ, measured_stores, missed

SEEDS = "1 for the flips"
FLIPS = 1_000


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Losses, gradients and dissent of a tiny run."""
    return measured_stores(tmp_path_factory.mktemp("stores"))


@pytest.mark.parametrize("name", list(READ))
def test_every_flip_is_found(name, stores: Path, table, count):
    number = count(FLIPS)
    files = sum(file.is_file() for file in (stores / name).rglob("*"))
    unfound = list(missed(stores, name, number, seed=1))
    table.add(store=name, files=files, N=max(number, files), missed=len(unfound))
    assert unfound == []
