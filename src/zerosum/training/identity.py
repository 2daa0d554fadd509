"""The identity that an intervention declares: settings at which it trains exactly like a baseline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Identity:
    """Settings at which an optimizer, objective or aggregator equals another one.

    settings: of this one. baseline: kind of the other one; baseline_settings: its settings; both beside equal values of
    all settings that both have. tolerance: largest relative difference of a weight after 50 updates in float64; 0 means
    equal bit for bit. condition: what has to be true of the run besides, in words.
    """

    settings: Mapping[str, Any]
    baseline: str
    baseline_settings: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 0.0
    condition: str = ""
