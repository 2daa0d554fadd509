"""The numbers of one parameter or one layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zerosum.estimate import numbers_or_reasons
from zerosum.gradients._numbers import CoordinateSums

Ends = tuple[float, float]
UNTOUCHED = "no token has a gradient here beyond rounding"
UNMOVED = "the update moves nothing here"


@dataclass(frozen=True)
class ParameterSet:
    """One parameter or one layer. kind: of a parameter; "layer" of a layer. sums: over its coordinates.

    D_grad: in a sample free of ratio bias; NaN where it is not known, `reason` then says why. interval: its 95 % ends
    for the draw of a sample. C_ug: sum_i |sum_j p_ij| / sum_ij |p_ij| with j in this set, in a sample read off its
    tokens; NaN where nothing moves.
    """

    name: str
    kind: str
    sums: CoordinateSums
    D_grad: float
    C_ug: float
    interval: Ends | None = None
    reason: str | None = None

    @property
    def numel(self) -> int:
        """Coordinates."""
        return self.sums.numel

    @property
    def touched(self) -> int | None:
        """Coordinates that any token has a gradient in; None where a sample keeps no sums of them."""
        return None if self.reason else self.sums.touched

    @property
    def C_g(self) -> float:
        """sum_j |sum_i p_ij| / sum_ij |p_ij|, in [0, 1]; NaN where nothing moves."""
        return self.sums.opposition.C_g

    @property
    def C_uG(self) -> float:
        """|sum_ij p_ij| / sum_j |sum_i p_ij|, in [0, 1]; NaN where nothing moves."""
        return self.sums.opposition.C_uG

    def why_not(self, name: str, reasons: Mapping[str, str]) -> str:
        """Why D_grad, C_g, C_ug or C_uG is NaN here. reasons: those of the whole model, by name."""
        return self.reason or UNTOUCHED if name == "D_grad" else reasons.get(name, UNMOVED)

    def to_json(self, reasons: Mapping[str, str], no_interval: str) -> dict[str, Any]:
        """For scripts. reasons: those of the whole model, by name. no_interval: why its D_grad has none."""
        names = ("D_grad", "C_g", "C_ug", "C_uG")
        document: dict[str, Any] = {"name": self.name, "kind": self.kind, "numel": self.numel, "touched": self.touched}
        document |= {"touched_reason": self.reason} if self.reason else {}
        document |= numbers_or_reasons(
            {name: getattr(self, name) for name in names}, {name: self.why_not(name, reasons) for name in names}
        )
        document["D_grad_interval"] = list(self.interval) if self.interval else None
        if not self.interval:
            document["D_grad_interval_reason"] = self.reason or no_interval
        sums = self.sums
        return document | {"sum_ij_abs_p": sums.mass, "sum_j_abs_sum_i_p": sums.net, "sum_ij_p": sums.signed}
