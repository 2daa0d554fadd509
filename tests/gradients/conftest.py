"""Tokens for the tiny models."""

import pytest
import torch
from tiny_models import VOCABULARY


@pytest.fixture
def tokens():
    """3 sequences of 12 predictions, with repeated ids."""
    ids = torch.randint(0, VOCABULARY, (3, 13), generator=torch.Generator().manual_seed(0))
    ids[0, 3:6] = 0
    return ids
