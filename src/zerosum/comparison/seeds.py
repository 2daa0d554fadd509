"""The same size trained from several seeds: means over the seeds, with Student's t-intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.deceleration import Fit
from zerosum.estimate import Estimate
from zerosum.interference import over_repeats

Pair = tuple[int, int]


@dataclass(frozen=True)
class OneSeed:
    """What is averaged of one run. name: runs of one name are one size.

    final_loss: held-out loss at the last checkpoint, nats per token. D: (from step, to step) -> D.
    """

    name: str
    n_params: int
    seed: int
    fit: Fit
    final_loss: float
    D: Mapping[Pair, float]


@dataclass(frozen=True)
class PairOverSeeds:
    """D of one pair of checkpoints, averaged over seeds."""

    from_step: int
    to_step: int
    D: Estimate


@dataclass(frozen=True)
class AcrossSeeds:
    """One size over its seeds. Losses in nats per token, t_d in steps, r_d and D without unit.

    L_d, t_d, r_d: of the runs whose verdict is "decelerates"; the others have no break to average, and N says how many
    runs are in the mean.
    """

    name: str
    n_params: int
    seeds: tuple[int, ...]
    L_d: Estimate
    t_d: Estimate
    r_d: Estimate
    final_loss: Estimate
    D: tuple[PairOverSeeds, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON document; what cannot be given is null with a reason beside it."""
        document: dict[str, Any] = {"name": self.name, "n_params": self.n_params, "seeds": list(self.seeds)}
        for name in ("L_d", "t_d", "r_d", "final_loss"):
            document |= getattr(self, name).flat(name)
        pairs = [{"from_step": one.from_step, "to_step": one.to_step, **one.D.flat("D")} for one in self.D]
        return document | {"double": pairs}


def across_seeds(runs: Sequence[OneSeed]) -> tuple[AcrossSeeds, ...]:
    """Every size over its seeds, in order of first appearance; empty where no size has a second seed."""
    sizes: dict[str, list[OneSeed]] = {}
    for run in runs:
        sizes.setdefault(run.name, []).append(run)
    if all(len(size) < 2 for size in sizes.values()):
        return ()
    return tuple(map(_one_size, sizes.values()))


def _one_size(runs: list[OneSeed]) -> AcrossSeeds:
    fits = [run.fit for run in runs if run.fit.verdict == "decelerates"]
    pairs = sorted({pair for run in runs for pair in run.D})
    return AcrossSeeds(
        name=runs[0].name,
        n_params=runs[0].n_params,
        seeds=tuple(run.seed for run in runs),
        L_d=_over_seeds([fit.L_d for fit in fits], "nats per token"),
        t_d=_over_seeds([fit.t_d for fit in fits], "steps"),
        r_d=_over_seeds([fit.r_d for fit in fits]),
        final_loss=_over_seeds([run.final_loss for run in runs], "nats per token"),
        D=tuple(PairOverSeeds(*pair, _over_seeds([run.D[pair] for run in runs if pair in run.D])) for pair in pairs),
    )


def _over_seeds(values: Sequence[float], unit: str = "") -> Estimate:
    return over_repeats(values, "seeds", unit)
