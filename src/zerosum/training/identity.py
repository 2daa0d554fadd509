"""The identity that an intervention declares: settings at which it must train exactly like a baseline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Identity:
    """Settings at which an intervention changes nothing, and the baseline that it then equals.

    settings: of the intervention, without its kind. equals: settings of the baseline, its kind included. tolerance:
    largest difference of any weight after 50 steps in float64; 0 means bit for bit. recipe: further values of the
    recipe, of both runs, under which the identity holds. condition: what has to be true of the run, in words.
    """

    settings: Mapping[str, Any]
    equals: Mapping[str, Any]
    tolerance: float = 0.0
    recipe: Mapping[str, Any] = field(default_factory=dict)
    condition: str = ""
