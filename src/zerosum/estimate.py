"""One number that does not travel alone: value, interval or the reason why none, N and of what, unit, level, method."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Interval = tuple[float, float]
"""(low, high)."""


@dataclass(frozen=True)
class Estimate:
    """A number for users, from the moment it is computed.

    value: NaN where it cannot be given. interval: (low, high); None where it cannot be given. reason: why there is no
    value, or no interval. N, of: how many of what it is from ("tokens", "seeds"); None where that is said elsewhere.
    unit: "" for a ratio. level: nominal coverage of the interval. method: how the interval was made.

    >>> Estimate(2.5, (2.4, 2.6), N=512, of="tokens", unit="nats per token").excludes(0.0)
    True
    """

    value: float | int
    interval: tuple[float | int, float | int] | None = None
    reason: str = ""
    N: int | None = None
    of: str = ""
    unit: str = ""
    level: float = 0.95
    method: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a finite value."""
        return math.isfinite(self.value)

    def excludes(self, value: float | int) -> bool:
        """Whether there is an interval and it does not contain `value`."""
        return self.interval is not None and not self.interval[0] <= value <= self.interval[1]

    def scaled(self, factor: float | int, unit: str | None = None) -> "Estimate":
        """The same number in another unit: value and interval times a positive factor.

        >>> Estimate(0.5, (0.4, 0.6)).scaled(100, "%").interval
        (40.0, 60.0)
        """
        ends = self.interval and (factor * self.interval[0], factor * self.interval[1])
        return replace(self, value=factor * self.value, interval=ends, unit=self.unit if unit is None else unit)

    def to_json(self) -> dict[str, Any]:
        """`{value, interval, N, unit, reason}`; null where there is no number.

        >>> Estimate(float("nan"), reason="too few points", unit="steps").to_json()
        {'value': None, 'interval': None, 'N': None, 'unit': 'steps', 'reason': 'too few points'}
        """
        return {
            "value": self.value if self.known else None,
            "interval": list(self.interval) if self.interval else None,
            "N": self.N,
            "unit": self.unit,
            "reason": self.reason or None,
        }

    def flat(self, name: str) -> dict[str, Any]:
        """`name`, `name_interval`, `name_N`, and reasons where one of them is null: the keys of older documents."""
        reason = self.reason or "not given"
        document: dict[str, Any] = number_or_reason(name, self.value, reason)
        document[f"{name}_interval"] = list(self.interval) if self.interval else None
        if self.interval is None:
            document[f"{name}_interval_reason"] = reason
        else:
            document |= {f"{name}_interval_level": self.level, f"{name}_interval_method": self.method}
        return document | {f"{name}_N": self.N, f"{name}_N_of": self.of}


def number_or_reason(name: str, value: float, reason: str) -> dict[str, Any]:
    """{name: value}, or {name: null, name_reason: reason} where the value is not a finite number.

    >>> number_or_reason("t_d", float("nan"), "too few points")
    {'t_d': None, 't_d_reason': 'too few points'}
    """
    if math.isfinite(value):
        return {name: value}
    return {name: None, f"{name}_reason": reason}


def numbers_or_reasons(numbers: Mapping[str, float], reasons: Mapping[str, str] | str) -> dict[str, Any]:
    """`number_or_reason` of each number. reasons: by name, or one for all."""
    found: dict[str, Any] = {}
    for name, value in numbers.items():
        reason = reasons if isinstance(reasons, str) else reasons.get(name, "not a number")
        found |= number_or_reason(name, float(value), reason)
    return found
