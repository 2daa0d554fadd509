"""What was trained, as the recipe of a run says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunFacts:
    """n_params: trainable parameters. steps: optimizer steps. tokens_per_step: tokens in a batch. recipe: in full."""

    n_params: int
    steps: int
    tokens_per_step: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
