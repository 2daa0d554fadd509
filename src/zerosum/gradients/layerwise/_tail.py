"""The tail of a model: what comes behind its last attention, and works on each position alone.

There a token's gradient has one row, so that one backward pass of all tokens together shows the gradients of each. The
passes of single tokens then begin below it, at what the last attention gives and at what the last block is given.

Letters: S sequences, n positions, d width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from zerosum.losses.forward import last_hidden

FEW = 8  # tokens on which a tail is tried


@dataclass
class Cut:
    """What a forward pass through a tail saw. attended, stream: [S, n, d] where single tokens' passes begin.

    leaf: `attended` cut off from what made it. calls: how often the projection and the block were called.
    """

    attended: Any = None
    leaf: Any = None
    stream: Any = None
    calls: int = 0

    @property
    def begins(self) -> list[Any]:
        """Where the passes of single tokens begin."""
        return [self.attended, self.stream]

    @property
    def ends(self) -> list[Any]:
        """Where the pass of all tokens through the tail ends."""
        return [self.leaf, self.stream]


@dataclass(frozen=True)
class Tail:
    """block: the last one. projection: the linear layer in it that its attention ends in."""

    block: Any
    projection: Any

    @contextmanager
    def cut(self) -> Iterator[Cut]:
        """Inside the context, forward passes are cut in front of the projection."""
        cut = Cut()

        def at_projection(module: Any, inputs: Any) -> Any:
            cut.calls += 1
            cut.attended = inputs[0]
            cut.leaf = inputs[0].detach().requires_grad_()
            return (cut.leaf, *inputs[1:])

        def at_block(module: Any, inputs: Any, named: Any) -> None:
            cut.calls += 1
            cut.stream = inputs[0] if inputs else next(iter(named.values()))

        hooks = [
            self.projection.register_forward_pre_hook(at_projection),
            self.block.register_forward_pre_hook(at_block, with_kwargs=True),
        ]
        try:
            yield cut
        finally:
            for hook in hooks:
                hook.remove()


def find_tail(body: Any, tokens: Any) -> Tail | None:
    """The tail of this body, by trying where it can be cut; None where nowhere. tokens: [S, L] ids."""
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module)]
    if not lists:
        return None
    block = max(lists, key=len)[-1]
    for module in block.modules():
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D":
            tail = Tail(block, module)
            if _is_tail(tail, body, tokens[:1, :FEW]):
                return tail
    return None


def _is_tail(tail: Tail, body: Any, ids: Any) -> bool:
    """Whether a row behind the cut depends on its own row at the cut and on no other."""
    with torch.enable_grad(), tail.cut() as cut:
        hidden = last_hidden(body, ids)
    if cut.calls != 2 or not all(torch.is_tensor(x) and x.requires_grad and x.ndim == 3 for x in cut.begins):
        return False
    k = ids.shape[1] // 2
    start = torch.zeros_like(hidden)
    start[:, k] = torch.arange(hidden.shape[2], device=hidden.device).cos().to(hidden)
    for gradient in torch.autograd.grad(hidden, cut.ends, start, allow_unused=True):
        if gradient is None or gradient.shape[1] != ids.shape[1] or not gradient[:, k].any():
            return False
        if int(gradient.count_nonzero()) != int(gradient[:, k].count_nonzero()):
            return False
    return True
