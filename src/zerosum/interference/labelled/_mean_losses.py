"""The losses of a store themselves: mean loss of every checkpoint with its interval, and what was measured."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from zerosum.estimate import Estimate, number_or_reason
from zerosum.interference._interval import interval, no_interval_reason
from zerosum.interference._pairs import Pair
from zerosum.interference._sums import InterferenceSums
from zerosum.interference.labelled._change import Store, Units, coordinate, steps_of, units_of
from zerosum.interference.labelled._problems import StoreProblem, problems_of
from zerosum.interference.labelled._quantities import QuantityOverTraining, quantities_over_training
from zerosum.missing import NO_STEP, UNKNOWN_STEP
from zerosum.record import Record

RECORDED = ("model", "dtype", "tokenizer", "tokens", "data_sha256", "noise_floor", "problems", "complete", "versions")


@dataclass(frozen=True)
class CheckpointLoss:
    """loss: mean over the tokens of the store, nats per token. step: None, tokens_seen: NaN where unknown.

    noise_floor: mean |difference| in nats of the same tokens in batches composed in another way, or in float32 where
    the store is not; None where it was not measured.
    """

    step: int | None
    tokens_seen: float
    loss: Estimate
    noise_floor: float | None

    def to_json(self) -> dict[str, Any]:
        """One row; a reason beside each number that is null."""
        loss, seen = self.loss, self.tokens_seen
        row: dict[str, Any] = {
            "step": self.step,
            "tokens_seen": int(seen) if math.isfinite(seen) else None,
            "mean_loss": loss.value if loss.known else None,
            "interval": list(loss.interval) if loss.interval else None,
            "N": loss.N,
            "noise_floor": self.noise_floor,
        }
        row |= {"level": loss.level, "method": loss.method} if loss.interval else {"interval_reason": loss.reason}
        reasons = {
            "step": NO_STEP,
            "tokens_seen": "neither the run nor a name says",
            "mean_loss": loss.reason,
            "noise_floor": "it gives no numbers",
        }
        return row | {f"{name}_reason": reason for name, reason in reasons.items() if row[name] is None}


@dataclass(frozen=True, repr=False)
class StoreLosses(Record):
    """What a store of per-token losses holds, as the measurer recorded it.

    n_predicted: tokens with a prediction. recorded: attributes of the store, see `RECORDED`. gaps: pairs of steps
    between which checkpoints seem to be missing. quantities: other numbers per token, see `zerosum losses --also`.
    """

    checkpoints: tuple[CheckpointLoss, ...]
    n_predicted: int
    n_sequences: int
    n_documents: int
    domains: tuple[str, ...] | None
    recorded: Mapping[str, Any]
    problems: tuple[StoreProblem, ...] = ()
    gaps: tuple[Pair, ...] = ()
    quantities: tuple[QuantityOverTraining, ...] = ()

    @classmethod
    def of(cls, store: Store, gaps: tuple[Pair, ...] = ()) -> "StoreLosses":
        """From a store that `zerosum.losses.measure_losses` made. gaps: of its checkpoints."""
        attrs, token = store.attrs, coordinate(store, "token")
        domains = attrs.get("domains")
        return cls(
            checkpoints=mean_losses(store),
            n_predicted=0 if token is None else int((token >= 0).sum()),
            n_sequences=store.sizes["sequence"],
            n_documents=len(attrs.get("documents") or ()),
            domains=None if domains is None else tuple(domains),
            recorded={name: attrs.get(name) for name in RECORDED} | {"problems": _problems(attrs.get("problems"))},
            problems=tuple(problems_of(store)),
            gaps=gaps,
            quantities=quantities_over_training(store),
        )

    def to_json(self) -> dict[str, Any]:
        """What was measured, with which model and data, and every checkpoint."""
        floor = self.recorded["noise_floor"]
        return {
            "n_sequences": self.n_sequences,
            "n_documents": self.n_documents,
            "domains": None if self.domains is None else list(self.domains),
            **self.recorded,
            **({} if floor is not None else number_or_reason("noise_floor", math.nan, "no checkpoint gives numbers")),
            "gaps": [list(pair) for pair in self.gaps],
            "checkpoints": [
                checkpoint.to_json() | {quantity.name: quantity.means[k].to_json() for quantity in self.quantities}
                for k, checkpoint in enumerate(self.checkpoints)
            ],
        }


def _problems(notes: Any) -> Any:
    """The problems that a store records, without steps that are not known."""
    if not isinstance(notes, list | tuple):
        return notes
    known = [note for note in notes if isinstance(note, dict) and isinstance(note.get("steps"), list | tuple)]
    return [
        note | {"steps": [s for s in note["steps"] if s != UNKNOWN_STEP]} if note in known else note for note in notes
    ]


def mean_losses(store: Store, *, seed: int = 0) -> tuple[CheckpointLoss, ...]:
    """One entry for each checkpoint; intervals are over documents where there are at least 20, else over sequences."""
    units, steps = units_of(store), steps_of(store)
    seen = store["tokens_seen"].to_numpy().tolist() if "tokens_seen" in store.coords else [math.nan] * len(steps)
    floors = store.attrs.get("noise_floor_of_checkpoint") or [None] * len(steps)
    token = coordinate(store, "token")
    losses = (store["loss"][k].transpose("sequence", "position").to_numpy() for k in range(len(steps)))
    return tuple(
        CheckpointLoss(
            None if step == UNKNOWN_STEP else step,
            seen[k],
            _mean(loss, units, ~np.isnan(loss) if token is None else token >= 0, seed),
            floor,
        )
        for k, (step, loss, floor) in enumerate(zip(steps, losses, floors, strict=True))
    )


def _mean(loss: Float[np.ndarray, "S T"], units: Units, predicted: Bool[np.ndarray, "S T"], seed: int) -> Estimate:
    """Losses are positive, so that M, the mean size, is their mean."""
    missing, n_tokens = int((~np.isfinite(loss[predicted])).sum()), int(predicted.sum())
    if missing or not n_tokens:
        why = "not measured, or no number" if missing == n_tokens else f"{missing:,} of its losses are no number"
        return Estimate(math.nan, reason=why, N=n_tokens, of="tokens", unit="nats per token")
    sums = InterferenceSums.of(loss.astype(np.float64), units.id, predicted)
    ends = interval(sums, seed=seed)
    return Estimate(
        sums.M,
        ends.M if ends else None,
        reason=no_interval_reason(sums) or "",
        N=sums.N,
        of="tokens",
        unit="nats per token",
        level=ends.level if ends else 0.95,
        method=f"{ends.method} ({ends.n_units} units)".replace("units", f"{units.name}s") if ends else "",
    )
