"""What a bench says: verdict of each arm, its paired differences, what tuning it took and what it cost, as a record."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from zerosum.bench.results import ArmResult, BenchResult
from zerosum.comparison import PairedDifference, SpeedUp
from zerosum.estimate import Estimate
from zerosum.record import Record

Verdict = Literal["better", "worse", "no-difference", "undertuned", "diverges", "cannot-tell"]
Code = Literal[
    "identity-failed",
    "unpaired",
    "baseline-diverged",
    "diverged",
    "edge",
    "baseline-edge",
    "incomplete",
    "few-seeds",
    "more-seeds",
    "censored",
    "placebo-differs",
    "placebo-open",
    "half-rate-not-worse",
    "no-placebo",
    "no-half-rate",
    "other-batch",
    "other-accumulation",
    "other-clip",
    "other-decay",
    "other-groups",
    "other-b2",
    "other-second-rate",
    "other-warmup",
    "other-schedule",
    "no-cooldown",
    "warmup-longer-than-run",
    "weighted-loss",
]
COSTS = ("tokens", "flops", "seconds", "peak_memory")


@dataclass(frozen=True)
class Reason:
    """blocking: it decides the verdict; note: the verdict stands, with this in mind."""

    code: Code
    level: Literal["blocking", "note"]
    message: str


@dataclass(frozen=True)
class RatePoint:
    """One rate of the grid. loss: after cooldown, mean over n tuning seeds, infinite where one of them diverged.

    full: over the whole horizon instead of the short one.
    """

    lr: float
    loss: float
    n: int
    full: bool

    @property
    def diverged(self) -> bool:
        """Whether a run at this rate diverged."""
        return math.isinf(self.loss)

    def to_json(self) -> dict[str, Any]:
        """`{lr, loss, diverged, n, full}`; the loss is null where a run diverged."""
        loss = self.loss if math.isfinite(self.loss) else None
        return {"lr": self.lr, "loss": loss, "diverged": self.diverged, "n": self.n, "full": self.full}


@dataclass(frozen=True)
class Tuning:
    """rates: every rate tried. best_lr: the chosen rate. best_between: of the short runs, see `best_between`; else NaN.

    sensitivity: mean excess of the loss from best / 4 to 4 best.
    """

    rates: tuple[RatePoint, ...]
    best_lr: float
    best_between: float
    at_edge: bool
    sensitivity: Estimate

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "rates": [point.to_json() for point in self.rates],
            "best_lr": _known(self.best_lr),
            "best_lr_between": _known(self.best_between),
            "at_edge": self.at_edge,
            "rate_sensitivity": self.sensitivity.to_json(),
        }


@dataclass(frozen=True)
class MovementDifference:
    """Paired differences over one equal-loss interval. weights: "raw", or an average such as "last:64".

    M: of the movement paid per nat of progress. main: the interval by which arms are compared; the others lie between
    neighbouring presets.
    """

    weights: str
    L_a: float
    L_b: float
    M: PairedDifference
    D: PairedDifference
    main: bool

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        ends = {"weights": self.weights, "L_a": self.L_a, "L_b": self.L_b, "main": self.main}
        numbers = {"M": self.M.to_json(), "D": self.D.to_json()}
        short = {
            name: {key: one[key] for key in ("value", "interval", "p", "n", "censored", "reason")}
            for name, one in numbers.items()
        }
        return ends | short


@dataclass(frozen=True)
class ArmAnswer:
    """One arm. verdict: None for the table of bigrams, which is no competitor.

    differences: arm minus baseline by measure, see `measures`. movement: over each equal-loss interval. cost: of one
    run, mean over seeds: tokens, FLOPs, seconds, bytes. flops_ratio: FLOPs of a token over those of the baseline, NaN
    where no run of one of them is finished. needed: seeds that would tell, None where more than 1,000.
    """

    result: ArmResult
    verdict: Verdict | None
    reasons: tuple[Reason, ...]
    tuning: Tuning
    differences: Mapping[str, PairedDifference]
    movement: tuple[MovementDifference, ...]
    speed_up: SpeedUp
    cost: Mapping[str, float]
    flops_ratio: float
    needed: int | None

    @property
    def name(self) -> str:
        """Name of the arm."""
        return self.result.name

    @property
    def speed_up_flops(self) -> SpeedUp:
        """Speed-up at equal FLOPs instead of equal tokens."""
        return self.speed_up.in_cost(self.flops_ratio)

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        identity = self.result.identity
        return {
            "name": self.name,
            "kind": self.result.kind,
            "settings": dict(self.result.settings),
            "identity": None if identity is None else asdict(identity) | {"error": _known(identity.error)},
            **self.tuning.to_json(),
            "n": self.differences["loss"].n,
            "differences": {name: one.to_json() for name, one in self.differences.items()},
            "movement": [one.to_json() for one in self.movement],
            "speedup": self.speed_up.to_json(),
            "speedup_flops": self.speed_up_flops.to_json(),
            "cost": {name: _known(value) for name, value in self.cost.items()},
            "flops_ratio": _known(self.flops_ratio),
            "verdict": self.verdict,
            "needed": self.needed,
            "reasons": [vars(reason) for reason in self.reasons],
        }


@dataclass(frozen=True)
class BaselineAnswer:
    """The baseline. numbers: mean over seeds of each measure, with Student's t interval. cost: as for an arm."""

    result: ArmResult
    tuning: Tuning
    numbers: Mapping[str, Estimate]
    cost: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "name": self.result.name,
            "settings": dict(self.result.settings),
            **self.tuning.to_json(),
            "n": len(self.result.runs),
            "numbers": {name: number.to_json() for name, number in self.numbers.items()},
            "cost": {name: _known(value) for name, value in self.cost.items()},
        }


@dataclass(frozen=True)
class SizeAnswer:
    """All arms at one size of the model. reasons: what the null arms say of the bench itself."""

    result: BenchResult
    baseline: BaselineAnswer
    arms: tuple[ArmAnswer, ...]
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        result = self.result
        return {
            "size": vars(result.size),
            "hash": result.hash,
            "primary": result.primary,
            "margin": result.margin,
            "seeds": list(result.seeds),
            "complete": result.complete,
            "horizon_steps": result.horizon_steps,
            "tokens_per_step": result.tokens_per_step,
            "final_tokens": result.final_tokens or None,
            "ngrams": dict(result.ngrams),
            "baseline": self.baseline.to_json(),
            "arms": [arm.to_json() for arm in self.arms],
            "reasons": [vars(reason) for reason in self.reasons],
        }


@dataclass(frozen=True)
class OverSizes:
    """An arm, or the baseline, over several sizes.

    gain: slope of the difference in loss over ln N, None for the baseline. rate: slope
    of ln best rate over ln width; 0: the best rate of a small model is that of a large one.
    """

    name: str
    gain: Estimate | None
    rate: Estimate

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        gain = None if self.gain is None else self.gain.to_json()
        return {"name": self.name, "gain_slope": gain, "rate_slope": self.rate.to_json()}


@dataclass(frozen=True, repr=False)
class BenchAnswer(Record):
    """A bench at one size or several, rising. over_sizes: empty with one."""

    name: str
    sizes: tuple[SizeAnswer, ...]
    over_sizes: tuple[OverSizes, ...]

    def to_json(self) -> dict[str, Any]:
        """`{name, size, ..., baseline, arms, ...}` of the largest size, `sizes` with each, and `over_sizes`."""
        return {
            "name": self.name,
            **self.sizes[-1].to_json(),
            "sizes": [size.to_json() for size in self.sizes] if len(self.sizes) > 1 else [],
            "over_sizes": [one.to_json() for one in self.over_sizes],
        }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
