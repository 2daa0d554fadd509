"""The output layer of a model: whether logits are linear in the last hidden state, and where that state is.

Letters: n positions, V vocabulary, d width.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch

from zerosum.gradients.parameters import named_by
from zerosum.losses.forward import last_hidden, logits_of

POSITIONS = 24  # of one sequence, on which the head is compared with the model
CLOSE = 1e-5  # relative to the largest logit: what rounding may do; some models round logits to float32
CAPS = ("final_logit_softcapping", "logit_soft_cap", "logits_soft_cap")
NEAR_1 = 1e-6  # a factor this close to 1 is 1
Code = Literal["no-head", "capped", "not-linear"]


class NotLinear(Exception):
    """The logits are not linear in the last hidden state. code: why. detail: the option of the model that causes it."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class LinearHead:
    """Logits z = scale (W h + b) of hidden states h.

    body: the module that computes h. module: the linear layer. scale: a positive factor on all logits.
    """

    body: Any
    module: Any
    scale: float = 1.0

    @property
    def weight(self) -> Any:
        """W, [V, d]."""
        return self.module.weight

    @property
    def bias(self) -> Any:
        """b, [V], or None."""
        return self.module.bias

    def hidden(self, ids: Any) -> Any:
        """Last hidden states of ids [s, T], [s, T, d]."""
        return last_hidden(self.body, ids)

    def logits(self, hidden: Any) -> Any:
        """Of hidden states [n, d], [n, V]."""
        bias = None if self.bias is None else self.bias.detach()
        logits = torch.nn.functional.linear(hidden, self.weight.detach(), bias)
        return logits if self.scale == 1 else logits * self.scale

    @cached_property
    def centred(self) -> Any:
        """Rows of the head without their mean row, times the scale, [V, d]."""
        weight = self.weight.detach()
        return (weight - weight.mean(0)) * self.scale


def linear_head(model: Any, ids: Any) -> LinearHead:
    """The head of a model, compared with the model on a few positions. ids: [s, n] on the model's device.

    A positive factor on all logits is allowed. Raises NotLinear for a model without a body and a separate linear head,
    and where something else comes after the head.
    """
    body, module = getattr(model, "base_model", None), named_by(model, "get_output_embeddings")
    if body is None or body is model or not isinstance(module, torch.nn.Linear):
        raise NotLinear("no-head")
    if cap := _cap(model):
        raise NotLinear("capped", cap)
    few = ids[:1, :POSITIONS]
    with torch.no_grad():
        hidden = last_hidden(body, few)
        if not torch.is_tensor(hidden) or hidden.shape[-1] != module.in_features:  # a wrapper whose base gives logits
            raise NotLinear("no-head")
        logits = logits_of(model, few).flatten(0, 1).double()
        by_head = LinearHead(body, module).logits(hidden.flatten(0, -2)).double()
    return LinearHead(body, module, _scale(logits, by_head))


def _cap(model: Any) -> str:
    """Name and value of the option that caps the logits, if there is one."""
    config: Any = getattr(model, "config", None)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    return next((f"{name} {value}" for name in CAPS if (value := getattr(config, name, None))), "")


def _scale(logits: Any, by_head: Any) -> float:
    """The factor between the model's logits and those of its head. Raises NotLinear where they differ otherwise."""
    scale = 1.0
    if logits.shape == by_head.shape:
        if bool(by_head.any()):
            scale = float((logits * by_head).sum() / by_head.square().sum())
        scale = 1.0 if abs(scale - 1) < NEAR_1 else scale
        worst, largest = float((logits - scale * by_head).abs().max()), float(logits.abs().max())
        if scale > 0 and worst <= CLOSE * largest:
            return scale
    raise NotLinear("not-linear")
