"""Fixtures that every room may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published curves and gold vectors; tests that need it skip where it is absent."""
    named = os.environ.get("ZEROSUM_REFERENCE_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "curves").is_dir():
        pytest.skip(f"{folder}: no reference data here; name its folder in ZEROSUM_REFERENCE_DATA")
    return folder
