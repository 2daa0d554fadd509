"""How far fast or narrow passes are from a few tokens' own backward passes. Needs no torch."""

from dataclasses import asdict, dataclass
from typing import Any

from zerosum.estimate import numbers_or_reasons


@dataclass(frozen=True)
class DtypeError:
    """What narrow passes change, measured on `tokens` tokens against the same in the parameters' own precision.

    gradients: size of the difference of a token's gradient, relative to the gradient's, the largest of these tokens.
    norm_l1: largest relative difference of sum_j |g_ij|. D_grad: by how much D_grad over these tokens is changed.
    """

    tokens: int
    gradients: float
    norm_l1: float
    D_grad: float


@dataclass(frozen=True)
class Verified:
    """K tokens compared: largest differences between their measured numbers and their own backward passes.

    norm_l1, norm_l2, moved: of sum_j |g_ij|, of the root of sum_j g_ij^2, and of sum_j |p_ij|, relative to it.
    first_order: of sum_j p_ij, relative to the largest of them. NaN where nothing was measured to compare with.
    """

    K: int
    norm_l1: float
    norm_l2: float
    moved: float
    first_order: float

    def to_json(self) -> dict[str, Any]:
        """The same for scripts: null with a reason where there is no number."""
        numbers = asdict(self)
        K = numbers.pop("K")
        return {"K": K} | numbers_or_reasons(numbers, "nothing was measured to compare with")
