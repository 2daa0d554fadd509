"""Tokens for the tiny models."""

import pytest
from tiny_models import repeating_tokens


@pytest.fixture
def tokens():
    """3 sequences of 12 predictions, with repeated ids."""
    return repeating_tokens()
