"""Results of a bench at one size, read from its finished runs; `answer` says what they mean. Needs no torch.

Losses are held-out cross-entropies in nats per token. A run that diverged has an infinite loss; a value that is not
there (yet) is NaN.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from zerosum.comparison import EqualLoss

ArmKind = Literal["baseline", "arm", "placebo", "half-rate", "bigram"]
"""The last three are null arms: the baseline on another order of the data, the baseline at half its best rate, and a
table of bigrams."""

IdentityHow = Literal["same", "no-op", "golden"]
"""same: every part is the baseline's own kind. no-op: trained at the settings of the declared identity and compared
with what it must equal. golden: there is no such setting; its trajectory is compared with that of a rule written out
in NumPy or stored."""

RAW = "raw"
"""Name of the weights of a step themselves, beside names of averages such as last:64."""


@dataclass(frozen=True)
class RateResult:
    """One tuning run. lr: rate. loss: after the cooldown. full: over the whole horizon instead of the short one."""

    lr: float
    seed: int
    loss: float
    full: bool = False

    @property
    def diverged(self) -> bool:
        """Whether the run ended in a loss that is not finite."""
        return math.isinf(self.loss)


@dataclass(frozen=True)
class RunCurve:
    """Held-out losses of the trunk, logged at `steps`; tokens seen at each."""

    steps: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    losses: tuple[float, ...] = ()


@dataclass(frozen=True)
class RunResult:
    """One reporting seed of an arm: a trunk at constant rate and the branch in which its rate falls to 0.

    loss: at the end of the branch. L_d (nats per token), t_d (steps), r_d: of the fit of the trunk's held-out loss, NaN
    where verdict is not "decelerates", or the place of the break is not known. movement: `EqualLoss` of the weights of
    each step ("raw") and of averages ("last:64"); empty where not measured. systematic_share, conflict_rate: in [0, 1],
    where measured. tokens, flops, seconds, peak_memory (bytes): of trunk and branch together, peak_memory the larger;
    flops are those of matrix products, counted in one update, reference models included. weights, batches, held_out:
    hashes of the initial weights, of batches and of the held-out tokens, which must agree with the baseline's of the
    same seed.
    """

    seed: int
    loss: float
    L_d: float = math.nan
    t_d: float = math.nan
    r_d: float = math.nan
    verdict: str = ""
    movement: Mapping[str, EqualLoss] = field(default_factory=dict)
    systematic_share: float = math.nan
    conflict_rate: float = math.nan
    tokens: int = 0
    flops: float = math.nan
    seconds: float = math.nan
    peak_memory: float = math.nan
    weights: str = ""
    batches: str = ""
    held_out: str = ""
    curve: RunCurve = RunCurve()


@dataclass(frozen=True)
class IdentityCheck:
    """Whether an arm's method was checked before it ran. error: largest relative difference of a weight; tolerance: the
    largest allowed one, 0 for bit for bit. baseline: what it must equal, in words.
    """

    how: IdentityHow
    error: float
    tolerance: float
    passed: bool
    baseline: str = ""


@dataclass(frozen=True)
class ArmResult:
    """An arm. settings: in which it differs from the baseline, by dotted name; the rate is `best_lr`.

    rates: its tuning runs; empty for null arms, which are not tuned. at_edge: the best rate is the lowest or the
    highest that was tried, after the grid was extended once. runs: reporting seeds, as many as are there.
    notes: codes of what differs between arms without being the method, such as other-decay.
    """

    name: str
    kind: ArmKind
    settings: Mapping[str, Any]
    identity: IdentityCheck | None
    rates: tuple[RateResult, ...]
    best_lr: float
    at_edge: bool
    runs: tuple[RunResult, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class HorizonResult:
    """The baseline, cooled after a multiple of the horizon, for the speed-up. tokens: cooldown included."""

    multiple: float
    seed: int
    tokens: int
    loss: float


@dataclass(frozen=True)
class BenchSize:
    """The model of a bench. width: of its hidden layer."""

    name: str
    n_params: int
    width: int


@dataclass(frozen=True)
class BenchResult:
    """A bench at one size. hash: of the declaration. margin: differences of the loss up to it do not matter, nats.

    primary: the measure that decides the verdicts. seeds: reporting seeds that were declared. horizons: of the
    baseline. ngrams: losses of n-gram models of the text, by name. final_tokens: held-out tokens of the loss after the
    cooldown; 0 where it is not known. complete: every declared run is there.
    """

    name: str
    hash: str
    size: BenchSize
    baseline: ArmResult
    arms: tuple[ArmResult, ...]
    margin: float
    seeds: tuple[int, ...]
    horizon_steps: int
    tokens_per_step: int
    primary: str = "loss"
    horizons: tuple[HorizonResult, ...] = ()
    ngrams: Mapping[str, float] = field(default_factory=dict)
    final_tokens: int = 0
    complete: bool = False
