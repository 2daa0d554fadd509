"""What a report is made of: one suite of runs, every number with its N, unit and interval.

Filled by whoever measured (the demo, a verb, a notebook); this room only shows it.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from zerosum.curves import LossCurve
from zerosum.deceleration import Fit
from zerosum.interference import Interference


@dataclass(frozen=True)
class Estimate:
    """One number that does not travel alone.

    value: NaN where it cannot be given. interval: (low, high), None where it cannot be given; then `reason` says why.
    level: nominal coverage of the interval. N, N_of: how many of what were averaged ("tokens", "seeds"). method: how
    the interval was made, in words.
    """

    value: float
    interval: tuple[float, float] | None
    N: int
    N_of: str
    level: float = 0.95
    method: str = ""
    reason: str | None = None

    @classmethod
    def mean_loss(cls, losses: Interference) -> "Estimate":
        """Mean loss with its interval, from `measure(per_token_losses)`: losses are positive, so M is their mean."""
        found = losses.interval
        return cls(
            value=losses.M,
            interval=found.M if found else None,
            N=losses.N,
            N_of="tokens",
            level=found.level if found else 0.95,
            method=f"{found.method} ({found.n_units} units)" if found else "",
            reason=losses.interval_reason,
        )


@dataclass(frozen=True)
class CutoffFit:
    """What one choice of the cut-off gives: the fit uses only steps after `cutoff`.

    L_d in nats per token, t_d in steps, r_d and rsle without unit. reason: why the verdict is not "decelerates".
    """

    cutoff: float
    L_d: float
    t_d: float
    r_d: float
    rsle: float
    n_points: int
    verdict: str
    reason: str | None = None

    @classmethod
    def of(cls, fit: Fit) -> "CutoffFit":
        """The row of one fit."""
        why = "; ".join(reason.message for reason in fit.reasons) if fit.verdict != "decelerates" else None
        return cls(fit.cutoff, fit.L_d, fit.t_d, fit.r_d, fit.rsle, fit.n_points, fit.verdict, why)


@dataclass(frozen=True)
class DoubleStep:
    """Loss changes of the held-out tokens between two checkpoints, the later at about twice the step."""

    from_step: int
    to_step: int
    interference: Interference


@dataclass(frozen=True)
class OneStep:
    """Loss changes over the one optimizer step after `step`, on held-out tokens or on the batch of that step."""

    step: int
    split: Literal["heldout", "batch"]
    interference: Interference


@dataclass(frozen=True)
class RunSummary:
    """One training run, measured.

    name: what to call it; runs that differ only in their seed share a name. n_params: trainable parameters.
    steps: optimizer steps taken. tokens_per_step: tokens in a batch. final_loss: mean held-out loss at the last
    checkpoint, nats per token. curve: training loss of each step. cutoffs: how the fit moves with its cut-off.
    unpaired: checkpoints without one at twice their step.
    """

    name: str
    n_params: int
    seed: int
    steps: int
    tokens_per_step: int
    final_loss: Estimate
    curve: LossCurve
    fit: Fit
    cutoffs: tuple[CutoffFit, ...] = ()
    double: tuple[DoubleStep, ...] = ()
    unpaired: tuple[int, ...] = ()
    one_step: tuple[OneStep, ...] = ()


@dataclass(frozen=True)
class SeedD:
    """D of one pair of checkpoints, averaged over seeds."""

    from_step: int
    to_step: int
    D: Estimate


@dataclass(frozen=True)
class AcrossSeeds:
    """One size over its seeds: means with t-intervals."""

    name: str
    n_params: int
    seeds: tuple[int, ...]
    L_d: Estimate
    t_d: Estimate
    r_d: Estimate
    final_loss: Estimate
    D: tuple[SeedD, ...]


@dataclass(frozen=True)
class SuiteSummary:
    """Everything one report shows.

    across_seeds: None where there is one seed; then across_seeds_reason says so. provenance: how the numbers were made
    (versions, seeds, data hash, tokens, command); values may be nested dicts.
    """

    title: str
    runs: tuple[RunSummary, ...]
    across_seeds: tuple[AcrossSeeds, ...] | None = None
    across_seeds_reason: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
