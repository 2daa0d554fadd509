"""Sums of |g_ij| from a sample of tokens, for models whose exact sums would take too long.

Only the denominators are sampled: sum_i g_ij is exact by one backward pass, first-order changes by one
forward-mode pass (D depends on N, so that numerator and denominator must be of the same tokens). |u| weighs what a
token's gradient has to do with the update: m_i = sum_j |p_ij|.

Letters: S sequences, m strata, n = m S sampled tokens of N, K groups of the jackknife.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import stdtrit
from torch.nn import functional

from zerosum.gradients._exact import check_causal, check_one_token, head_apart
from zerosum.gradients._layers import recording
from zerosum.gradients._parameters import Parameter, trainable
from zerosum.gradients._recorder import Product, Recorder, Rows
from zerosum.gradients._sample import GROUPS, Sample, calibrated, draw

Interval = tuple[float, float]
LOGITS = 1 << 24  # numbers in memory at once
APART = ("embedding", "head")  # kinds that D_grad leaves out


@dataclass(frozen=True)
class SampledMass:
    """parts: K times name -> weighted sums of |g_ij|, which add up to the estimate of sum_i |g_ij| over all N tokens.

    group_weight: [K] tokens each part stands for. moved: name -> [n] sum_j |p_ij| of each sampled token in that
    parameter, nats. weight: [n]. residual: [n] of the tokens' m_i after the auxiliary variable. N: tokens in all.
    """

    parts: list[dict[str, Any]]
    group_weight: Float[np.ndarray, " K"]
    moved: dict[str, Float[np.ndarray, " n"]]
    weight: Float[np.ndarray, " n"]
    residual: Float[np.ndarray, " n"]
    N: int

    @classmethod
    def merge(cls, samples: Sequence["SampledMass"]) -> "SampledMass":
        """One sample of all tokens from samples of some sequences each: they are strata."""
        first = samples[0]
        return cls(
            parts=[{n: sum(one.parts[k][n] for one in samples) for n in part} for k, part in enumerate(first.parts)],
            group_weight=np.sum([one.group_weight for one in samples], axis=0),
            moved={name: np.concatenate([one.moved[name] for one in samples]) for name in first.moved},
            weight=np.concatenate([one.weight for one in samples]),
            residual=np.concatenate([one.residual for one in samples]),
            N=sum(one.N for one in samples),
        )

    def total_moved(self, names: Sequence[str] | None = None) -> float:
        """Estimate of sum_ij |p_ij| in these parameters; None: in all."""
        return float(sum(self.weight @ self.moved[name] for name in (self.moved if names is None else names)))

    def moved_interval(self, level: float = 0.95) -> Interval:
        """Interval of `total_moved()` over all parameters, on log scale, for the draw of the sample alone."""
        n, total = len(self.weight), self.total_moved()
        error = self.N * np.sqrt((1 - n / self.N) * self.residual.var(ddof=2) / n)
        half = float(stdtrit(n - 2, (1 + level) / 2) * error / total)
        return float(total * np.exp(-half)), float(total * np.exp(half))

    def D_grad(self, net: Mapping[str, Any], names: Sequence[str], level: float = 0.95) -> tuple[float, Interval]:
        """D_grad over the parameters `names`, free of ratio bias, and its interval: by the delete-a-group jackknife.

        net: exact sum_i g_ij. names: none of the token embedding or the head, whose sums are not kept.
        """
        K, N = len(self.parts), float(self.group_weight.sum())
        cancelled, touched = np.zeros(K + 1), np.zeros(K + 1)
        for name in names:
            kept = torch.stack([part[name] for part in self.parts])
            whole = kept.sum(0)
            scale = N / (N - torch.as_tensor(self.group_weight, device=whole.device))
            for k, mass in enumerate((whole, *((whole - one) * f for one, f in zip(kept, scale, strict=True)))):
                seen = mass > 0
                cancelled[k] += float((1 - net[name].to(mass)[seen].abs() / mass[seen]).sum())
                touched[k] += int(seen.sum())
        whole, *without = cancelled / touched
        left = np.array(without)
        estimate = float(K * whole - (K - 1) * left.mean())
        spread = (1 - len(self.weight) / self.N) * (K - 1) / K * ((left - left.mean()) ** 2).sum()
        half = float(stdtrit(K - 1, (1 + level) / 2) * np.sqrt(spread))
        return estimate, (max(estimate - half, 0.0), min(estimate + half, 1.0))


def sampled_mass(
    model: Any, tokens: Any, update: Mapping[str, Any] | None = None, *, n_tokens: int = 256, seed: int = 0
) -> SampledMass:
    """Estimate sum_i |g_ij| and sum_ij |p_ij| from `n_tokens` tokens, a random one of each stretch of each sequence.

    model: in evaluation mode. tokens: [S, L] ids as a tensor on its device. update: u by name; None: no m_i.
    A token's 1 - q_y, one minus the probability of its label, explains a good part of how large its gradient is: known
    for every token, it is the auxiliary variable.

    Raises Unsupported as `exact_sums`, InputError for a sample that is too small or not smaller than all tokens.
    """
    head = head_apart(model, tokens)
    check_causal(model, tokens)
    check_one_token(model, tokens, head)
    surprise = _surprise(model, tokens)
    sample = calibrated(draw(n_tokens, len(tokens), tokens.shape[1] - 1, seed), surprise)
    recorder = SampleRecorder(trainable(model), len(tokens), sample, update or {})
    with recording(model, recorder, leave_out=head):
        for stratum in range(len(sample.position)):
            recorder.begin_stratum(stratum)
            _pass(model, head, tokens, sample.position[stratum], recorder)
    moved = {name: np.concatenate(values) for name, values in recorder.moved.items()}
    x = surprise[np.arange(len(tokens)), sample.position].ravel()
    return SampledMass(
        parts=recorder.parts,
        group_weight=np.bincount(sample.group.ravel(), sample.weight.ravel(), minlength=GROUPS),
        moved=moved,
        weight=sample.weight.ravel(),
        residual=_residual(sum(moved.values(), np.zeros(sample.n)), x),
        N=sample.N,
    )


def _surprise(model: Any, tokens: Any) -> Float[np.ndarray, "S T"]:
    """1 - q_y of every token, a few sequences at a time."""
    size = getattr(getattr(model, "config", None), "vocab_size", None) or LOGITS
    found = []
    with torch.no_grad():
        for part in tokens.split(max(1, LOGITS // (size * tokens.shape[1]))):
            output = model(part[:, :-1])
            logits = getattr(output, "logits", output).flatten(0, 1)
            loss = functional.cross_entropy(logits, part[:, 1:].flatten(), reduction="none")
            found.append(-torch.expm1(-loss.double()).view(len(part), -1))
    surprise: Float[np.ndarray, "S T"] = torch.cat(found).cpu().numpy()
    return surprise


def _residual(values: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    if np.ptp(x) == 0:
        return np.asarray(values - values.mean())
    slope, level = np.polyfit(x, values, 1)
    return np.asarray(values - level - slope * x)


def _pass(model: Any, head: Any, tokens: Any, positions: Any, recorder: Recorder) -> None:
    """One backward pass with the token at `positions[s]` of each sequence s."""
    end, rows = int(positions.max()) + 1, torch.arange(len(tokens), device=tokens.device)
    at = torch.as_tensor(positions, device=tokens.device)
    recorder.begin(end)
    recorder.position = end - 1
    labels = tokens[rows, at + 1]
    output = model(tokens[:, :end]) if head is None else model.base_model(tokens[:, :end])[0]
    values = getattr(output, "logits", output)
    here = values.detach()[rows, at].requires_grad_()
    logits = here if head is None else head(here)
    by_logits, by_values = torch.autograd.grad(
        functional.cross_entropy(logits, labels, reduction="sum"), [logits, here]
    )
    if head is not None:
        _head(head, Product(by_logits[:, None], here.detach()[:, None]), recorder)
    start = torch.zeros_like(values)
    start[rows, at] = by_values
    torch.autograd.backward(values, start)
    recorder.finish_pass()
    recorder.head = {}


def _head(head: Any, part: Product, recorder: Recorder) -> None:
    if (name := recorder.name(head.weight)) is not None:
        recorder.add_head(name, part)
        recorder.head = {name: part}
    if head.bias is not None and (name := recorder.name(head.bias)) is not None:
        recorder.add_whole(name, part.rows[:, 0])


class SampleRecorder(Recorder):
    """Keeps weighted sums of |g_ij| by group, and m_i of each token, instead of sums over all tokens."""

    def __init__(
        self, parameters: Sequence[Parameter], sequences: int, sample: Sample, update: Mapping[str, Any]
    ) -> None:
        super().__init__(parameters, sequences)
        self.net = self.mass = {}
        kept = [one for one in parameters if one.kind not in APART]
        self.parts = [{one.name: torch.zeros_like(one.tensor.detach()) for one in kept} for _ in range(GROUPS)]
        self.size = {n: torch.as_tensor(update[n]).to(self.tensors[n]).abs() for n in self.tensors if n in update}
        self.moved: dict[str, list[Any]] = {name: [] for name in self.size}
        self._sample = sample

    def begin_stratum(self, stratum: int) -> None:
        """The tokens of this pass are those of one stratum."""
        self._weight = self._sample.weight[stratum]
        self._group = self._sample.group[stratum]
        for values in self.moved.values():
            values.append(np.zeros(self.sequences))

    def add_whole(self, name: str, gradients: Any) -> None:
        """gradients: [S, *shape]."""
        sizes = gradients.abs().flatten(1)
        if name in self.size:
            self._move_all(name, sizes @ self.size[name].flatten())
        if name in self.parts[0]:
            sizes *= torch.as_tensor(self._weight).to(sizes)[:, None]
            for k in set(self._group.tolist()):
                self.parts[k][name] += sizes[self._group == k].sum(0).view(gradients.shape[1:])

    def _add_token(self, name: str, s: int, gradient: Any) -> None:
        gradient.abs_()
        if name in self.size:
            self.moved[name][-1][s] += float(torch.dot(gradient.flatten(), self.size[name].flatten()))
        if name in self.parts[0]:
            self.parts[self._group[s]][name].add_(gradient, alpha=float(self._weight[s]))

    def _add_rows(self, name: str, part: Rows, sizes: Any) -> None:
        if name in self.size:
            self._move_all(name, (sizes * self.size[name][part.ids]).sum((1, 2)))
        if name in self.parts[0]:
            for s in range(self.sequences):
                self.parts[self._group[s]][name].index_add_(0, part.ids[s], sizes[s], alpha=float(self._weight[s]))

    def _add_rank_one(self, name: str, rows: Any, columns: Any) -> None:
        rows, columns = rows.abs(), columns.abs()
        if name in self.size:
            self._move_all(name, ((rows @ self.size[name]) * columns).sum(1))
        if name in self.parts[0]:
            rows = rows * torch.as_tensor(self._weight, dtype=rows.dtype, device=rows.device)[:, None]
            for k in set(self._group.tolist()):
                which = np.flatnonzero(self._group == k)
                self.parts[k][name].addmm_(rows[which].T, columns[which])

    def _move_all(self, name: str, moved: Any) -> None:
        """moved: [S] sum_j |p_ij| of each token in this parameter, or a part of it."""
        self.moved[name][-1] += moved.double().cpu().numpy()
