"""Sums over all tokens without storing a single per-token gradient: exact, for models made of known layers.

One forward pass for each block of positions; then one backward pass for each position, in which every sequence of the
batch has one token, adds up |g|. The head is measured by itself. sum_i g takes a single backward pass of all tokens
together.

Letters: S sequences of L = T + 1 tokens, V vocabulary, d width, k position.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from zerosum.gradients._agreement import is_causal, require_agreement
from zerosum.gradients._sums import GradientSums
from zerosum.gradients.layerwise._accumulators import Both, MassAccumulator, NetAccumulator
from zerosum.gradients.layerwise._head import HeadPass
from zerosum.gradients.layerwise._head import separate_head as separate_head
from zerosum.gradients.layerwise._layers import recording
from zerosum.gradients.layerwise._per_token import Tally
from zerosum.gradients.layerwise._pieces import Accumulator, Unsupported
from zerosum.gradients.layerwise._position_accumulator import PositionAccumulator
from zerosum.gradients.layerwise._recorder import Recorder
from zerosum.gradients.layerwise._tail import Cut, Tail, find_tail
from zerosum.gradients.parameters import trainable
from zerosum.losses.forward import last_hidden, logits_of

BLOCK = 16  # positions that share one forward pass; what lies beyond the token's own position is computed in vain
TIMED = 4  # positions that are timed
CONTRADICTION = 1e-3  # of sum |g| over all coordinates: beyond rounding


@dataclass(frozen=True)
class Layout:
    """Facts about the model, detected once. head: the output layer, if it is a separate Linear, else None.

    tail: the part behind the last attention, whose gradients take one pass for all tokens; None: the head alone.
    """

    head: Any
    tail: Tail | None = None


def layout_of(model: Any, tokens: Any, causal: bool | None = None) -> Layout:
    """Try the layer rules on a few tokens of two sequences. tokens: [S, L] ids on the model's device.

    causal: whether the model is, where that is known. Raises Unsupported where it is not, or where the model has a
    layer that no rule is known for, or uses its weights in another way.
    """
    if not (is_causal(model, tokens) if causal is None else causal):
        raise Unsupported("a model in which a token sees what comes after it, or how long its text is")
    head = separate_head(model, tokens)
    tail = None if head is None else find_tail(model.base_model, tokens)
    if tail is not None:
        with suppress(Unsupported):  # what the tail has is used elsewhere, too
            return checked(Layout(head, tail), model, tokens)
    return checked(Layout(head), model, tokens)


def exact_sums(
    model: Any,
    tokens: Any,
    update: Mapping[str, Any] | None = None,
    *,
    per_token: bool = False,
    block: int = BLOCK,
    layout: Layout | None = None,
) -> GradientSums:
    """`GradientSums` over every token. model: in evaluation mode. tokens: [S, L] ids as a tensor on its device.

    update: u by name, for the numbers of each token; a missing one does not move. per_token: whether to give them.
    layout: of this model, where it is known already; None: it is found first.

    Raises Unsupported as `layout_of`.
    """
    layout = layout or layout_of(model, tokens)
    parameters, (S, T) = trainable(model), (tokens.shape[0], tokens.shape[1] - 1)
    tally = Tally(parameters, (S, T), update) if per_token else None
    net, mass = passes(model, tokens, layout, range(T), block, tally)
    return GradientSums(net, mass, S * T, tokens=tally.numbers() if tally else None)


def passes(
    model: Any, tokens: Any, layout: Layout, positions: Sequence[int], block: int, tally: Tally | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """net and mass over the tokens at `positions` of each sequence, float64. tally: receives the gradient of each."""
    parameters = trainable(model)
    run = _Run(Recorder(parameters, len(tokens)), NetAccumulator(parameters), MassAccumulator(parameters, tally))
    cutting = nullcontext() if layout.tail is None else layout.tail.cut()
    with recording(model, run.recorder, leave_out=layout.head), cutting as cut:
        if layout.head is None:
            run.whole(model, tokens, positions, block)
        else:
            run.with_separate_head(model.base_model, layout.head, tokens, positions, block, cut)
    return consistent(run.net.net, run.mass.mass)


def consistent(net: dict[str, Any], mass: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both in float64. |sum g| <= sum |g| holds of the numbers, and is made to hold of their rounded sums.

    Raises Unsupported where it is by more than rounding that it does not.
    """
    net, mass = ({name: value.double() for name, value in sums.items()} for sums in (net, mass))
    whole = sum(float(sums.sum()) for sums in mass.values())
    for name, largest in mass.items():
        beyond = (net[name].abs() - largest).clamp_(min=0).sum()
        if float(beyond) > CONTRADICTION * whole:
            raise Unsupported(f"a model whose sums of gradients of {name} contradict each other")
        net[name].clamp_(max=largest)
        net[name].clamp_(min=largest.neg_())
        largest.neg_()
    return net, mass


@dataclass
class _Run:
    """The passes of one batch.

    In float64, where every digit counts, sum_i g is added up token by token, too: parts of many models are in float32
    all the same, and round a sum of gradients to other digits than each of them.
    """

    recorder: Recorder
    net: NetAccumulator
    mass: MassAccumulator

    def with_separate_head(
        self, body: Any, head: Any, tokens: Any, positions: Sequence[int], block: int, cut: Cut | None
    ) -> None:
        at_head: HeadPass | None = None
        starts: list[Any] = []
        for part in _blocks(positions, block):
            self.recorder.begin(part[-1] + 1)
            hidden = last_hidden(body, tokens[:, : part[-1] + 1])
            begins = [hidden] if cut is None else cut.begins
            if at_head is None:  # the first block is the last of the sequence
                at_head = HeadPass(head, hidden, tokens)
                at_head.run(positions, self.recorder, self.mass, self.net)
                if not hidden.requires_grad:  # nothing in the body is trained
                    return
                starts = [at_head.start] if cut is None else self._through_tail(hidden, at_head.start, cut)
                self._of_all(begins, starts)
            for k in part:
                self.recorder.head = at_head.gradients((slice(None), slice(k, k + 1)), self.recorder)
                self._of_one(begins, [_row(start, k, hidden.shape[1]) for start in starts], k)
                self.recorder.head = {}

    def _through_tail(self, hidden: Any, start: Any, cut: Cut) -> list[Any]:
        """Both sums of what is behind the cut, and the gradients at it, the row of each token its own."""
        if self.mass.tally is not None:
            self.mass.tally.of_tokens(slice(0, hidden.shape[1]))
        self.recorder.of_all_tokens()
        self.recorder.accumulator = Both(self.net, PositionAccumulator.into(self.mass, hidden.shape[1]))
        gradients = torch.autograd.grad(hidden, cut.ends, start, retain_graph=True)
        self.recorder.finish_pass()
        return list(gradients)

    def whole(self, model: Any, tokens: Any, positions: Sequence[int], block: int) -> None:
        every = list(positions)
        for part in _blocks(positions, block):
            self.recorder.begin(part[-1] + 1)
            logits = logits_of(model, tokens[:, : part[-1] + 1])
            if every:
                self._of_all(_loss(logits, tokens, every), None)
                every = []
            for k in part:
                self._of_one(_loss(logits, tokens, [k]), None, k)

    @property
    def _token_by_token(self) -> bool:
        return any(value.dtype == torch.float64 for value in self.net.net.values())

    def _of_all(self, output: Any, start: Any) -> None:
        """sum_i g by one backward pass."""
        if not self._token_by_token:
            self.recorder.of_all_tokens()
            self._backward(output, start, self.net)

    def _of_one(self, output: Any, start: Any, k: int) -> None:
        """|g| of the token at position k of each sequence."""
        if self.mass.tally is not None:
            self.mass.tally.of_tokens(slice(k, k + 1))
        self.recorder.of_one_token([k] * self.recorder.sequences)
        self._backward(output, start, Both(self.net, self.mass) if self._token_by_token else self.mass)

    def _backward(self, output: Any, start: Any, to: Accumulator) -> None:
        self.recorder.accumulator = to
        torch.autograd.backward(output, start, retain_graph=True)
        self.recorder.finish_pass()


def _row(start: Any, k: int, positions: int) -> Any:
    """Row k alone of the first rows."""
    row = torch.zeros_like(start[:, :positions])
    row[:, k] = start[:, k]
    return row


def _loss(logits: Any, tokens: Any, positions: list[int]) -> Any:
    labels = tokens[:, [k + 1 for k in positions]]
    return functional.cross_entropy(logits[:, positions].flatten(0, 1), labels.flatten(), reduction="sum")


def _blocks(positions: Sequence[int], block: int) -> Iterator[list[int]]:
    """Positions that share a forward pass, the last ones first."""
    groups: dict[int, list[int]] = {}
    for k in sorted(positions, reverse=True):
        groups.setdefault(k // block, []).insert(0, k)
    yield from groups.values()


def exact_seconds(model: Any, tokens: Any, layout: Layout, update: Mapping[str, Any] | None = None) -> float:
    """About how long `exact_sums` takes for each token with its numbers, seconds, from a few positions in the middle of
    these sequences.
    """
    parameters, (S, T) = trainable(model), (tokens.shape[0], tokens.shape[1] - 1)
    middle, took = T // 2, []
    for count in (1, 1, 1 + TIMED):  # the first one warms up
        began = perf_counter()
        tally = Tally(parameters, (S, T), update)
        positions = range(middle, min(middle + count, T))
        passes(model, tokens, layout, positions, BLOCK + TIMED, tally)
        if tokens.is_cuda:
            torch.cuda.synchronize(tokens.device)
        took.append(perf_counter() - began)
    backward = max(took[2] - took[1], 0.0) / TIMED
    return (backward + max(took[1] - backward, 0.0) / BLOCK) / len(tokens)


def checked(layout: Layout, model: Any, tokens: Any) -> Layout:
    """The layout, once tokens of the first two sequences, measured together, agree with their own backward passes.

    A weight may be used past its layer, or rows of different sequences or positions may be mixed. The tokens: the last
    one and the first one that shares its forward pass, and one in the middle. Raises Unsupported where they differ.
    """
    two, last = tokens[:2], tokens.shape[1] - 2
    positions = sorted({last // 2, last - last % BLOCK, last})
    tally = Tally(trainable(model), (len(two), last + 1), None)
    net, mass = passes(model, two, layout, positions, BLOCK, tally)
    which = [(s, k) for s in range(len(two)) for k in positions]
    at = tuple(np.transpose(which))
    require_agreement(model, two, which, (net, mass), tally.numbers().l1[at])
    return layout
