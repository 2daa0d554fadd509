"""What one measurement of opposition between per-token gradients says: every number with its N and how sure it is."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from zerosum.gradients._numbers import CoordinateSums
from zerosum.interference import Interference

if TYPE_CHECKING:
    from zerosum.gradients._precision import DtypeError

Ends = tuple[float, float]
EXACT = "exact for these N tokens; another draw of texts would differ"


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
    def C_g(self) -> float:
        """sum_j |sum_i p_ij| / sum_ij |p_ij|, in [0, 1]; NaN where nothing moves."""
        return self.sums.opposition.C_g

    @property
    def C_uG(self) -> float:
        """|sum_ij p_ij| / sum_j |sum_i p_ij|, in [0, 1]; NaN where nothing moves."""
        return self.sums.opposition.C_uG


@dataclass(frozen=True)
class Proxy:
    """What the same formulas give where the contribution of each *position* to the summed loss takes the place of each
    token's gradient. One backward pass gives it; below the last attention it is something else, and no stand-in.

    parameters, layers: as those of token gradients, but for C_ug, which it has not.
    """

    D_grad: float
    D_grad_matrices: float
    C_g: float
    parameters: tuple[ParameterSet, ...]
    layers: tuple[ParameterSet, ...]


@dataclass(frozen=True)
class GradientInterference:
    """How far the gradients of N token losses oppose each other, and what that does to an update u.

    D_grad: mean over coordinates of 1 - |sum_i g_ij| / sum_i |g_ij|, in [0, 1], of all trainable parameters but token
    embedding and head; D_grad_matrices: of those with two axes or more. With p_ij = g_ij u_j:
    C_g = sum_j |sum_i p_ij| / sum_ij |p_ij|, C_ug = sum_i |sum_j p_ij| / sum_ij |p_ij|,
    C_uG = |sum_ij p_ij| / sum_j |sum_i p_ij|, and 1 - D_first_order = C_g C_uG / C_ug. NaN without an update, which
    `reasons` says. first_order, loss_change: interference of the first-order and of the real loss changes, nats.
    loss: mean before the update, nats per token. per_token: what is known of each token, [S, T], NaN at padding and
    where it was not measured: loss, loss_change, first_order (nats), norm_l1 = sum_j |g_ij|, norm_l2 (both nats per
    unit of the parameters) and moved = sum_j |p_ij| (nats).
    intervals: name -> 95 % ends; of D_grad, D_grad_matrices, C_g and C_ug for the draw of a sample, of the others over
    sequences. n_sampled: tokens whose gradients were formed; N where all were. proxy: of method "positionwise", which
    forms no token gradient: then D_grad, C_g and C_ug are NaN. dtype: of the passes that sums over tokens come from;
    dtype_error: what bfloat16 changes, on a few tokens. seconds: about how long exact sums, or at most how long the
    general path would take; None where method auto was not asked.

    Source: Mircea et al. 2025, section 4; here of one token's loss each, and a tied matrix counts once.
    """

    N: int
    n_sequences: int
    n_positions: int
    method: str
    n_sampled: int
    seed: int
    dtype: str
    loss: float
    D_grad: float
    D_grad_matrices: float
    C_g: float
    C_ug: float
    C_uG: float
    first_order: Interference | None
    loss_change: Interference | None
    intervals: dict[str, Ends]
    reasons: dict[str, str]
    parameters: tuple[ParameterSet, ...]
    layers: tuple[ParameterSet, ...]
    notes: tuple[str, ...]
    per_token: dict[str, Float[np.ndarray, "S T"]] = field(default_factory=dict, repr=False)
    proxy: Proxy | None = None
    dtype_error: "DtypeError | None" = None
    seconds: float | None = None

    @property
    def changes(self) -> Float[np.ndarray, "S T"] | None:
        """First-order change of each token's loss, nats, NaN at padding; None without an update."""
        return self.per_token.get("first_order")

    @property
    def D_first_order(self) -> float:
        """Share of all first-order loss movement that cancels between tokens; NaN without an update."""
        return self.first_order.D if self.first_order else float("nan")

    @property
    def M_first_order(self) -> float:
        """Mean size of a first-order loss change, nats; NaN without an update."""
        return self.first_order.M if self.first_order else float("nan")

    @property
    def D_loss(self) -> float:
        """Share of all real loss movement that cancels between tokens; NaN without an update."""
        return self.loss_change.D if self.loss_change else float("nan")

    @property
    def M_loss(self) -> float:
        """Mean size of a real loss change, nats; NaN without an update."""
        return self.loss_change.M if self.loss_change else float("nan")

    def to_json(self) -> dict[str, Any]:
        """The same for scripts: null where there is no number, and `<name>_reason` beside it."""
        from zerosum.gradients._document import document

        return document(self)
