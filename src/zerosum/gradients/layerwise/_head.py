"""The head by itself: its gradients have rank one, so products of whole batches give sum |g| without forming them.

Letters: S sequences of L tokens, n tokens of each at a time, V vocabulary, d width; q = softmax of the logits.
"""

from collections.abc import Sequence
from typing import Any

import torch

from zerosum.gradients.head import CLOSE, LinearHead, NotLinear, linear_head
from zerosum.gradients.layerwise._accumulators import MassAccumulator, NetAccumulator
from zerosum.gradients.layerwise._pieces import HeadGradients
from zerosum.gradients.layerwise._recorder import Recorder
from zerosum.losses.forward import logits_of

LOGITS = {"cpu": 1 << 22, "cuda": 1 << 26}  # numbers of logits at a time, 16 and 256 MiB


def separate_head(model: Any, tokens: Any) -> Any:
    """The head, where the model is its body and a linear head and nothing else comes after it; else None."""
    try:
        head = linear_head(model, tokens[:1, :-1])
    except NotLinear:
        return None
    if head.scale != 1 or type(head.module) is not torch.nn.Linear or not _gives_all_logits(model, head, tokens):
        return None
    owners = [
        module for module in head.body.modules() for own in module.parameters(recurse=False) if own is head.weight
    ]
    # A tied weight may be the embedding once; anything else has to be added up before absolute values are taken.
    embedding = getattr(model.get_input_embeddings(), "weight", None)
    return head.module if not owners or (len(owners) == 1 and embedding is head.weight) else None


def _gives_all_logits(model: Any, head: LinearHead, tokens: Any) -> bool:
    """Whether each logit of the first sequence is the head's, small ones too: exact gradients depend on all of them."""
    ids = tokens[:1, :-1]
    with torch.no_grad():
        return torch.allclose(logits_of(model, ids), head.logits(head.hidden(ids)), rtol=CLOSE, atol=CLOSE)


class HeadPass:
    """The head's part of every token's gradient, and where the backward passes through the body begin.

    hidden: [S, n, d] last hidden states. start: [S, n, d] gradient of each token's loss by its own; 0 where no token
    was asked for.
    """

    def __init__(self, head: Any, hidden: Any, tokens: Any) -> None:
        self.head = head
        self.hidden = hidden.detach()
        self.start = torch.zeros_like(self.hidden)
        self._tokens = tokens
        self._normaliser = torch.zeros_like(self.hidden[:, :, 0])
        self._room: Any = None

    def run(self, positions: Sequence[int], recorder: Recorder, mass: MassAccumulator, net: NetAccumulator) -> None:
        """Of the tokens at `positions` of each sequence."""
        held = LOGITS.get(self.hidden.device.type, LOGITS["cpu"])
        size = max(1, held // (len(self.hidden) * self.head.weight.shape[0]))
        for first in range(0, len(positions), size):
            few = positions[first : first + size]
            part: Any = slice(few[0], few[-1] + 1) if few[-1] - few[0] + 1 == len(few) else list(few)
            if mass.tally is not None:
                mass.tally.of_tokens(part)
            self.run_at((slice(None), part), recorder, mass, net)

    def run_at(self, which: Any, recorder: Recorder, mass: MassAccumulator, net: NetAccumulator | None = None) -> None:
        """Of the tokens at an index of [S, n]."""
        rows, labels = self.hidden[which], self._tokens[:, 1:][which][..., None]
        weight, bias = self.head.weight, self.head.bias
        by_logits = self._by_logits(rows, labels, which)
        self.start[which] = by_logits @ weight.detach()
        name, of_bias = recorder.name(weight), None if bias is None else recorder.name(bias)
        if of_bias is not None:
            mass.whole(of_bias, by_logits)
        if net is not None:
            net.head(name, of_bias, by_logits, rows)
        if name is not None:
            if mass.tally is not None:
                mass.tally.rank_one(name, by_logits, rows)
            mass.add_rank_one(name, by_logits.abs_().flatten(0, 1), rows.abs().flatten(0, 1))

    def _by_logits(self, rows: Any, labels: Any, which: Any) -> Any:
        """q minus one at the label, [S, n, V], in room that is used again."""
        weight, bias = self.head.weight.detach(), self.head.bias
        size = rows.shape[:2].numel() * weight.shape[0]
        if self._room is None or self._room.shape[1] < size:
            self._room = rows.new_empty(2, size)
        logits, q = (buffer[:size].view(-1, weight.shape[0]) for buffer in self._room)
        torch.mm(rows.flatten(0, 1), weight.T, out=logits)
        if bias is not None:
            logits += bias.detach()
        torch.softmax(logits, -1, out=q)
        top, place = logits.max(-1, keepdim=True)
        self._normaliser[which] = (top - q.gather(-1, place).log()).view(rows.shape[:2])
        q.scatter_add_(-1, labels.flatten(0, 1), torch.full_like(top, -1.0))
        return q.view(*rows.shape[:2], -1)

    def gradients(self, which: Any, recorder: Recorder) -> dict[str, HeadGradients]:
        """The head's gradients of some tokens, by the name of its matrix. which: index of [S, n]."""
        name, head = recorder.name(self.head.weight), self.head
        if name is None:
            return {}
        bias = None if head.bias is None else head.bias.detach()
        labels = self._tokens[:, 1:][which]
        return {name: HeadGradients(self.hidden[which], head.weight.detach(), bias, self._normaliser[which], labels)}
