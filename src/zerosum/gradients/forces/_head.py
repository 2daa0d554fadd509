"""Where dissent is defined: a head that is linear in the last hidden state, apart from the body that makes this state.

Letters: n positions, V vocabulary, d width.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from zerosum.errors import InputError

CHECKED = 24  # positions of the first sequence
CLOSE = 1e-5  # relative to the largest logit: what rounding may do; some models round logits to float32
CAPS = ("final_logit_softcapping", "logit_soft_cap", "logits_soft_cap")
ONE = 1e-6  # a scale as near to 1 is 1


@dataclass(frozen=True)
class LinearHead:
    """z = scale (W h + b). body: gives h. weight: W, [V, d]. bias: b, [V], or None. scale: positive, of the logits."""

    body: Any
    weight: Any
    bias: Any
    scale: float

    def hidden(self, ids: Any) -> Any:
        """Last hidden states of ids [s, T], [s, T, d]."""
        return self.body(ids, use_cache=False)[0] if hasattr(self.body, "config") else self.body(ids)

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
    """The head of a model, after a check that it is linear on a few positions. ids: [1, T] on the model's device.

    A positive factor on all logits is allowed. Raises InputError for a model without a body and head apart, and where
    anything else comes after the head.
    """
    body, head = getattr(model, "base_model", None), _output(model)
    if body is None or body is model or not isinstance(head, torch.nn.Linear):
        raise _not_apart(model)
    _refuse_cap(model)
    found = LinearHead(body, head.weight, head.bias, 1.0)
    few = ids[:1, :CHECKED]
    with torch.no_grad():
        if found.hidden(few).shape[-1] != head.in_features:  # a wrapper whose base gives logits
            raise _not_apart(model)
        output = model(few, use_cache=False) if hasattr(model, "config") else model(few)
        whole = getattr(output, "logits", output).flatten(0, 1).double()
        alone = found.logits(found.hidden(few).flatten(0, 1)).double()
    return LinearHead(body, head.weight, head.bias, _scale(whole, alone))


def _not_apart(model: Any) -> InputError:
    return InputError(
        f"model: a {type(model).__name__} without a linear head apart from its body, and dissent is defined at the "
        "hidden state between them. Give a transformers causal language model, not one that is wrapped."
    )


def _output(model: Any) -> Any:
    try:
        return model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def _refuse_cap(model: Any) -> None:
    config: Any = getattr(model, "config", None)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    for name in CAPS:
        if cap := getattr(config, name, None):
            raise InputError(
                f"model: its logits are capped ({name} {cap}), so they are not linear in the hidden state, where "
                "dissent is defined. Measure a model without a cap."
            )


def _scale(whole: Any, alone: Any) -> float:
    """The factor between both logits. Raises InputError where they differ by anything else."""
    scale = 1.0
    if whole.shape == alone.shape:
        if bool(alone.any()):
            scale = float((whole * alone).sum() / alone.square().sum())
        scale = 1.0 if abs(scale - 1) < ONE else scale
        worst, largest = float((whole - scale * alone).abs().max()), float(whole.abs().max())
        if scale > 0 and worst <= CLOSE * largest:
            return scale
    raise InputError(
        "model: its logits are not those of its head on the last hidden state (something comes after the head), where "
        "dissent is defined. Measure a model whose head is linear."
    )
