"""Sums of |g_ij| from a sample of tokens, for models whose exact sums would take too long.

Only the denominators are sampled: sum_i g_ij is exact by one backward pass, first-order changes by one
forward-mode pass (D depends on N, so that numerator and denominator must be of the same tokens). |u| weighs what a
token's gradient has to do with the update: m_i = sum_j |p_ij|.

Letters: S sequences, m strata, n = m S sampled tokens of N, K groups of the jackknife.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.special import stdtrit
from torch.nn import functional

from zerosum.gradients._exact import Layout, layout_of
from zerosum.gradients._result import LEVEL
from zerosum.gradients._sample import GROUPS, Sample, calibrated, draw
from zerosum.gradients._sampled_opposition import Interval, SampledOpposition, sampled_opposition
from zerosum.gradients.layerwise._accumulators import MassAccumulator
from zerosum.gradients.layerwise._head import HeadPass
from zerosum.gradients.layerwise._layers import recording
from zerosum.gradients.layerwise._per_token import Tally
from zerosum.gradients.layerwise._recorder import Recorder
from zerosum.gradients.parameters import NOT_IN_D_GRAD, Parameter, trainable
from zerosum.losses.forward import last_hidden, logits_of


@dataclass(frozen=True)
class SampledMass:
    """parts: K times name -> weighted sums of |g_ij|, which add up to the estimate of sum_i |g_ij| over all N tokens.

    group_weight: [K] tokens each part represents. moved, signed: name -> [n] sum_j |p_ij| and sum_j p_ij of each
    sampled token in that parameter, nats. l1, l2_squared: [n] sum_j |g_ij| and sum_j g_ij^2 over every parameter.
    row, at: [n] its sequence, counted in the batch it was drawn from (merging batches renumbers them), and its
    position. weight: [n] tokens it represents. surprise: [n] the auxiliary variable.
    """

    parts: list[dict[str, Any]]
    group_weight: Float[np.ndarray, " K"]
    moved: dict[str, Float[np.ndarray, " n"]]
    signed: dict[str, Float[np.ndarray, " n"]]
    l1: Float[np.ndarray, " n"]
    l2_squared: Float[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]
    at: Int64[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    surprise: Float[np.ndarray, " n"]

    @classmethod
    def merge(cls, samples: Sequence["SampledMass"]) -> "SampledMass":
        """One sample of all tokens from samples of some sequences each: they are strata."""
        first = samples[0]

        def joined(field: str) -> Any:
            return np.concatenate([getattr(sample, field) for sample in samples])

        def joined_by_name(field: str) -> dict[str, Any]:
            return {n: np.concatenate([getattr(sample, field)[n] for sample in samples]) for n in getattr(first, field)}

        return cls(
            parts=[{n: sum(s.parts[k][n] for s in samples) for n in part} for k, part in enumerate(first.parts)],
            group_weight=np.sum([sample.group_weight for sample in samples], axis=0),
            moved=joined_by_name("moved"),
            signed=joined_by_name("signed"),
            l1=joined("l1"),
            l2_squared=joined("l2_squared"),
            row=joined("row"),
            at=joined("at"),
            weight=joined("weight"),
            surprise=joined("surprise"),
        )

    def total_moved(self, names: Sequence[str] | None = None) -> float:
        """Estimate of sum_ij |p_ij| in these parameters; None: in all."""
        return float(sum(self.weight @ self.moved[name] for name in (self.moved if names is None else names)))

    def moved_interval(self) -> Interval:
        """95 % interval of `total_moved()` over all parameters, on log scale, for the draw of the sample alone."""
        total = self.total_moved()
        residual = _residual(sum(self.moved.values(), np.zeros(len(self.weight))), self.surprise)
        unseen = np.maximum(self.weight * (self.weight - 1), 0)  # 0 for a token that represents only itself
        if not unseen.any():
            return total, total
        n = unseen.sum() ** 2 / (unseen @ unseen)  # as many tokens of equal weights would leave as much unseen
        free = max(n - 2, 1.0)
        error = np.sqrt(n / free * (unseen @ residual**2))
        half = float(stdtrit(free, (1 + LEVEL) / 2) * error / total)
        return float(total * np.exp(-half)), float(total * np.exp(half))

    def kept(self) -> dict[str, Any]:
        """Estimates of sum_i |g_ij|, of every parameter whose sums are kept."""
        return {name: sum(part[name] for part in self.parts) for name in self.parts[0]}

    def opposition(
        self, net: Mapping[str, Any], parameters: Sequence[Parameter], least: Mapping[str, float]
    ) -> dict[str, SampledOpposition]:
        """Of each parameter whose sums are kept. net: exact sum_i g_ij. least: as of `sampled_opposition`."""
        opposed = {}
        for parameter in parameters:
            if (name := parameter.name) in self.parts[0]:
                parts = [part[name] for part in self.parts]
                opposed[name] = sampled_opposition(parameter, parts, self.group_weight, net[name], least[name])
        return opposed

    @property
    def share(self) -> float:
        """Of all tokens, those in the sample; less where they represent different numbers of tokens."""
        return float(min(1.0, self.weight.sum() / (self.weight @ self.weight)))


def sampled_mass(
    model: Any,
    tokens: Any,
    update: Mapping[str, Any] | None,
    losses: Any,
    *,
    n_tokens: int,
    seed: int = 0,
    layout: Layout | None = None,
) -> SampledMass:
    """Estimate sum_i |g_ij| and sum_ij |p_ij| from `n_tokens` tokens, a random one of each stretch of each sequence.

    model: in evaluation mode. tokens: [S, L] ids as a tensor on its device. update: u by name; None: no m_i.
    losses: [S, T] nats of every token.
    layout: of this model, where it is known already.

    A token's 1 - q_y, one minus the probability of its label, explains a good part of how large its gradient is: known
    for every token, it is the auxiliary variable.

    Raises Unsupported as `exact_sums`.
    """
    layout = layout or layout_of(model, tokens)
    surprise = _surprise(losses)
    sample = calibrated(draw(n_tokens, len(tokens), tokens.shape[1] - 1, seed), surprise)
    parameters, m = trainable(model), len(sample.position)
    adder = SampleAdder(parameters, sample, Tally(parameters, (len(tokens), m), update))
    recorder = Recorder(parameters, len(tokens))
    recorder.accumulator = adder
    with recording(model, recorder, leave_out=layout.head):
        for stratum in range(m):
            adder.begin_stratum(stratum)
            _pass(model, layout.head, tokens, sample.position[stratum].tolist(), recorder, adder)
    return _collected(sample, adder, surprise)


def _collected(sample: Sample, adder: "SampleAdder", surprise: Float[np.ndarray, "S T"]) -> SampledMass:
    numbers, (m, S) = adder.tally.numbers(), sample.position.shape
    row, at = np.tile(np.arange(S), m), sample.position.ravel()
    return SampledMass(
        parts=adder.parts,
        group_weight=np.bincount(sample.group.ravel(), sample.weight.ravel(), minlength=GROUPS),
        moved={name: values.T.ravel() for name, values in numbers.absolute.items()},
        signed={name: values.T.ravel() for name, values in numbers.signed.items()},
        l1=numbers.l1.T.ravel(),
        l2_squared=numbers.l2_squared.T.ravel(),
        row=row,
        at=at,
        weight=sample.weight.ravel(),
        surprise=surprise[row, at],
    )


def _surprise(losses: Any) -> Float[np.ndarray, "S T"]:
    """1 - q_y of every token. losses: [S, T] nats."""
    surprise: Float[np.ndarray, "S T"] = -torch.expm1(-torch.as_tensor(losses).double()).cpu().numpy()
    return surprise


def _residual(values: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """What a straight line in x leaves of the values."""
    if np.ptp(x) == 0:
        return np.asarray(values - values.mean())
    slope, level = np.polyfit(x, values, 1)
    return np.asarray(values - level - slope * x)


def _pass(model: Any, head: Any, tokens: Any, at: list[int], recorder: Recorder, adder: "SampleAdder") -> None:
    """One backward pass with the token at position `at[s]` of each sequence s."""
    ids, which = tokens[:, : max(at) + 1], (torch.arange(len(at))[:, None], torch.as_tensor(at)[:, None])
    recorder.begin(ids.shape[1])
    recorder.of_one_token(at)
    if head is None:
        logits, labels = logits_of(model, ids)[which][:, 0], tokens[:, 1:][which][:, 0]
        torch.autograd.backward(functional.cross_entropy(logits, labels, reduction="sum"))
    else:
        hidden = last_hidden(model.base_model, ids)
        at_head = HeadPass(head, hidden, tokens)
        at_head.run_at(which, recorder, adder)
        recorder.head = at_head.gradients(which, recorder)
        torch.autograd.backward(hidden, at_head.start)
    recorder.finish_pass()
    recorder.head = {}


class SampleAdder(MassAccumulator):
    """Weighted sums of |g_ij| by group, of the parameters that D_grad is of, and the numbers of each token."""

    tally: Tally

    def __init__(self, parameters: Sequence[Parameter], sample: Sample, tally: Tally) -> None:
        super().__init__(parameters, tally)
        self.mass = {}
        tensors = {own.name: own.tensor.detach() for own in parameters if own.kind not in NOT_IN_D_GRAD}
        self.parts = [{name: torch.zeros_like(tensor) for name, tensor in tensors.items()} for _ in range(GROUPS)]
        self._sample = sample

    def begin_stratum(self, stratum: int) -> None:
        """The tokens of this pass are those of one stratum."""
        self.tally.of_tokens(slice(stratum, stratum + 1))
        self._weight = self._sample.weight[stratum].tolist()
        self._group = self._sample.group[stratum].tolist()

    def _into(self, name: str, tile: slice, sequences: int) -> list[tuple[Any, float]]:
        if name not in self.parts[0]:
            return [(None, 0.0)] * sequences
        return [(self.parts[k][name][tile], weight) for k, weight in zip(self._group, self._weight, strict=True)]

    def _add_whole(self, name: str, sizes: Any) -> None:
        if name in self.parts[0]:
            for k, tokens, weight in self._groups(sizes):
                self.parts[k][name] += torch.tensordot(weight, sizes[tokens], 1)

    def add_rank_one(self, name: str, rows: Any, columns: Any) -> None:
        if name in self.parts[0]:
            for k, tokens, weight in self._groups(rows):
                self.parts[k][name].addmm_((rows[tokens] * weight[:, None]).T, columns[tokens])

    def _add_rows(self, name: str, ids: Any, sizes: Any) -> None:
        if name in self.parts[0]:
            for s, (k, weight) in enumerate(zip(self._group, self._weight, strict=True)):
                self.parts[k][name].index_add_(0, ids[s], sizes[s], alpha=weight)

    def _groups(self, like: Any) -> Iterator[tuple[int, list[int], Any]]:
        """Each group, which tokens of this pass are in it, and their weights."""
        for k in sorted(set(self._group)):
            tokens = [s for s, group in enumerate(self._group) if group == k]
            yield k, tokens, like.new_tensor([self._weight[s] for s in tokens])
