"""What one measurement of opposition between per-token gradients says: every number with its N and how sure it is.

This record is what is returned, stored, read back and shown. Needs no torch.
"""

from dataclasses import asdict, dataclass, field
from math import isfinite, nan
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped

from zerosum.checkpoints import Problem
from zerosum.estimate import Estimate, number_or_reason, numbers_or_reasons
from zerosum.gradients._accuracy import DtypeError, Verified
from zerosum.gradients._parameter_set import Ends, ParameterSet
from zerosum.gradients.noise import NUMBERS as OF_NOISE
from zerosum.gradients.noise import UNKNOWN_NOISE, NoiseScale
from zerosum.gradients.source import checkpoint_to_json
from zerosum.interference import Interference
from zerosum.interference.labelled import EXCLUDED_CODES
from zerosum.record import Record

POSITIONWISE = "positionwise"
OF_GRADIENTS = ("D_grad", "D_grad_matrices")
OF_UPDATE = ("D_loss", "M_loss", "D_first_order", "M_first_order", "C_g", "C_ug", "C_uG")
NULLS = ("null", "null_unit", "excess")
NUMBERS = ("loss", *OF_GRADIENTS, *OF_UPDATE, *NULLS)
INTERVALS = (*OF_GRADIENTS, *OF_UPDATE)
IN_NATS = ("loss", "M_loss", "M_first_order")
EXACT = "exact for these N tokens; another draw of texts would differ"
BY_POSITION = "method positionwise forms no token gradient; what it gives is in positionwise"
LEVEL = 0.95


@dataclass(frozen=True, repr=False, eq=False)
class GradientInterference(Record):
    """How far the gradients of N token losses oppose each other, and what that does to an update u.

    D_grad: mean over coordinates of 1 - |sum_i g_ij| / sum_i |g_ij|, in [0, 1], of all trainable parameters but token
    embedding and head; D_grad_matrices: of those with two axes or more. With p_ij = g_ij u_j:
    C_g = sum_j |sum_i p_ij| / sum_ij |p_ij|, C_ug = sum_i |sum_j p_ij| / sum_ij |p_ij|,
    C_uG = |sum_ij p_ij| / sum_j |sum_i p_ij|, and 1 - D_first_order = C_g C_uG / C_ug. NaN without an update, which
    `reasons` says. first_order, loss_change: interference of the first-order and of the real loss changes, nats.
    loss: mean before the update, nats per token. intervals: name -> 95 % ends; of D_grad, D_grad_matrices, C_g and
    C_ug for the draw of a sample, of the others over sequences or documents, as `units` says. reasons,
    interval_reasons: name -> why that number, or that interval, cannot be given; `estimate(name)` has all of it.
    n_sampled: tokens whose gradients were formed; N where all were.

    method "positionwise" is a proxy: D_grad, D_grad_matrices, C_g, parameters and layers are then of what each
    *position* contributes to the gradient of the summed loss, not of the gradients of single tokens' losses; C_ug is
    NaN. Below the last attention layer that is a different quantity; do not use it as an approximation.

    dtype: of the passes that sums over tokens come from; dtype_error: what bfloat16 changes, on a few tokens. seconds:
    about how long exact sums, or at most how long the general path would take; None where method auto was not asked.
    source, step, tokens_seen: the checkpoint, where it is one of a run. verified: tokens compared with their own
    backward pass, where that was asked for. problems: of the checkpoint or its stored measurement.

    noise: gradient noise scale, and D_grad as noise alone would give it; None in stores of earlier versions.

    per_token: numbers of each token, [S, T], NaN at padding and where it was not measured: loss, loss_change,
    first_order (nats), norm_l1 = sum_j |g_ij|, norm_l2 (both nats per unit of the parameters) and moved =
    sum_j |p_ij| (nats). unit: [S, T], the document or sequence of each token that intervals resample.

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
    interval_reasons: dict[str, str]
    parameters: tuple[ParameterSet, ...]
    layers: tuple[ParameterSet, ...]
    notes: tuple[str, ...]
    units: Literal["document", "sequence"] = "sequence"
    dtype_error: DtypeError | None = None
    seconds: float | None = None
    source: str = ""
    step: int | None = None
    tokens_seen: int | None = None
    verified: Verified | None = None
    problems: tuple[Problem, ...] = ()
    noise: NoiseScale | None = None
    per_token: dict[str, Float[np.ndarray, "S T"]] = field(default_factory=dict)
    unit: Shaped[np.ndarray, "S T"] | None = None

    # How pydantic stores it: not-a-number as a word; arrays are stored beside it.
    __pydantic_config__ = {"arbitrary_types_allowed": True, "ser_json_inf_nan": "strings"}  # noqa: RUF012

    @property
    def is_sound(self) -> bool:
        """Whether its model is the one that was trained; if not, it is compared with nothing."""
        return not any(problem.code in EXCLUDED_CODES for problem in self.problems)

    @property
    def is_proxy(self) -> bool:
        """Whether D_grad, C_g, parameters and layers are of the positionwise proxy."""
        return self.method == POSITIONWISE

    @property
    def is_exact(self) -> bool:
        """Whether sums are over every token, so that numbers without an interval are exact for these tokens."""
        return self.n_sampled == self.N or self.is_proxy

    @property
    def n_units(self) -> int | None:
        """How many documents or sequences intervals resample; None where there is no such interval."""
        interval = self.first_order.interval if self.first_order else None
        return interval.n_units if interval else None

    @property
    def changes(self) -> Float[np.ndarray, "S T"] | None:
        """First-order change of each token's loss, nats, NaN at padding; None without an update."""
        return self.per_token.get("first_order")

    @property
    def D_first_order(self) -> float:
        """Share of all first-order loss movement that cancels between tokens; NaN without an update."""
        return self.first_order.D if self.first_order else nan

    @property
    def M_first_order(self) -> float:
        """Mean size of a first-order loss change, nats; NaN without an update."""
        return self.first_order.M if self.first_order else nan

    @property
    def D_loss(self) -> float:
        """Share of all real loss movement that cancels between tokens; NaN without an update."""
        return self.loss_change.D if self.loss_change else nan

    @property
    def M_loss(self) -> float:
        """Mean size of a real loss change, nats; NaN without an update."""
        return self.loss_change.M if self.loss_change else nan

    def value(self, name: str) -> float:
        """One of NUMBERS; null, null_unit and excess are those of D_first_order."""
        if name in NULLS:
            return float(getattr(self.first_order, name)) if self.first_order else nan
        return float(getattr(self, name))

    def estimate(self, name: str) -> Estimate:
        """One of NUMBERS or OF_NOISE with its interval, or why it has none."""
        if name in OF_NOISE:
            unknown = Estimate(nan, None, UNKNOWN_NOISE, self.N, "tokens")
            return self.noise.estimate(name) if self.noise else unknown
        value, ends = self.value(name), self.intervals.get(name)
        reasons = self.interval_reasons if isfinite(value) else self.reasons
        why = "" if ends and isfinite(value) else reasons.get(name, "not given")
        unit = "nats per token" if name in IN_NATS else ""
        return Estimate(value, ends if isfinite(value) else None, why, self.N, "tokens", unit, LEVEL)

    def estimate_of(self, part: ParameterSet, name: str) -> Estimate:
        """D_grad, C_g, C_ug or C_uG of one of its parameters or layers."""
        value, ends = getattr(part, name), part.interval if name == "D_grad" else None
        if not isfinite(value):
            return Estimate(nan, None, part.why_not(name, self.reasons), self.N, "tokens")
        why = "" if ends else part.reason or self.interval_reasons.get(name, "not given")
        return Estimate(value, ends, why, self.N, "tokens", level=LEVEL)

    def to_json(self) -> dict[str, Any]:
        """The same for scripts: null where there is no number, and `<name>_reason` beside it."""
        document = checkpoint_to_json(self.source, self.step, self.tokens_seen)
        document |= {"units": self.units} if document else {}
        for name in ("N", "n_sequences", "n_positions", "method", "n_sampled", "seed", "dtype"):
            document[name] = getattr(self, name)
        seconds = nan if self.seconds is None else self.seconds
        document |= number_or_reason("estimated_seconds", seconds, "method auto was not asked for")
        document |= numbers_or_reasons({name: self.value(name) for name in NUMBERS}, self.reasons)
        document["intervals"] = self._intervals()
        for name in ("first_order", "loss_change"):
            changes: Interference | None = getattr(self, name)
            if changes is None:
                document |= {name: None, f"{name}_reason": self.reasons["C_uG"]}
            else:
                document[name] = _interference(changes)
        no_interval = self.interval_reasons.get("D_grad", "not given")
        document["parameters"] = [part.to_json(self.reasons, no_interval) for part in self.parameters]
        document["layers"] = [part.to_json(self.reasons, no_interval) for part in self.layers]
        if self.dtype_error:
            document["dtype_error"] = asdict(self.dtype_error)
        document = _in_its_place(document) if self.is_proxy else document
        unknown = numbers_or_reasons(dict.fromkeys((*OF_NOISE, "noise"), nan), UNKNOWN_NOISE)
        document |= self.noise.to_json() if self.noise else unknown
        document["notes"] = list(self.notes)
        document |= {"problems": [asdict(problem) for problem in self.problems]} if self.problems else {}
        return document | ({"verify": self.verified.to_json()} if self.verified else {})

    def _intervals(self) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for name in INTERVALS:
            ends = self.intervals.get(name)
            document[name] = list(ends) if ends else None
            if not ends:
                document[f"{name}_reason"] = self.interval_reasons.get(name, "not given")
        for name in OF_NOISE:
            number = self.estimate(name)
            document[name] = list(number.interval) if number.interval else None
            document |= {} if number.interval else {f"{name}_reason": number.reason}
        return document | {"level": LEVEL}


def _in_its_place(document: dict[str, Any]) -> dict[str, Any]:
    """The document of the positionwise proxy: its numbers stand under that name, never as those of token gradients."""
    moved = (*OF_GRADIENTS, "C_g")
    keys = [key for name in moved for key in (name, f"{name}_reason") if key in document]
    proxy = {key: document[key] for key in (*keys, "parameters", "layers")}
    absent = (*moved, "C_ug")
    why = {f"{name}_reason": BY_POSITION for name in absent}
    bare = dict.fromkeys(absent) | why
    empty: dict[str, Any] = {"parameters": [], "layers": []}
    return document | bare | {"intervals": document["intervals"] | bare} | empty | {POSITIONWISE: proxy}


def _interference(changes: Interference) -> dict[str, Any]:
    names = ("R", "D", "M", "delta_L", "harmful_share", *NULLS)
    numbers = numbers_or_reasons({name: getattr(changes, name) for name in names}, changes.reasons)
    document = {"N": changes.N, **numbers}
    document |= {"null_method": changes.null_method, "null_unit_method": changes.null_unit_method}
    if changes.interval is None:
        return document | {"interval": None, "interval_reason": changes.interval_reason or "not given"}
    ends = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(changes.interval).items()}
    return document | {"interval": ends}
