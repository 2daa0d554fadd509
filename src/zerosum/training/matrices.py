"""The matrices of a model by what they do: embeddings and head, and the linear maps inside.

Muon needs to know more of a linear map than its numbers: whether it is stored transposed, and whether it holds several
maps side by side, as GPT-2's `c_attn` holds those of queries, keys and values.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from zerosum.errors import InputError
from zerosum.gradients.parameters import NOT_IN_D_GRAD, trainable


@dataclass(frozen=True)
class Layout:
    """How a linear map is stored.

    transposed: [inputs, outputs] instead of [outputs, inputs]. parts: numbers of outputs of each map that is fused into
    it, none where it is one map; they follow each other, and the whole sequence is repeated `repeats` times, once for
    each head.
    """

    transposed: bool = False
    parts: tuple[int, ...] = ()
    repeats: int = 1

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether a stored matrix of a shape can be laid out like this."""
        outputs = shape[-1 if self.transposed else 0]
        return len(shape) == 2 and (not self.parts or self.repeats * sum(self.parts) == outputs)


def embeddings_and_head(model: nn.Module) -> set[nn.Parameter]:
    """The trainable weights of all embeddings, of positions too, and of the output head that the model names."""
    return {
        parameter.tensor for parameter in trainable(model) if parameter.kind in NOT_IN_D_GRAD or parameter.looked_up
    }


def linear_maps(model: nn.Module) -> dict[nn.Parameter, Layout]:
    """The trainable matrices of linear layers other than the head, in the model's order.

    Raises InputError for a layer whose name says that it fuses queries, keys and values in a way that is not known.
    """
    excluded = embeddings_and_head(model)
    found: dict[nn.Parameter, Layout] = {}
    for name, layer, parent in _layers(model):
        weight: Any = layer.weight
        if weight.requires_grad and weight not in excluded and weight not in found:
            transposed = isinstance(layer, Conv1D)
            outputs = weight.shape[1] if transposed else weight.shape[0]
            repeats, parts = _fused(name, outputs, parent)
            found[weight] = Layout(transposed, parts, repeats)
    return found


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, Any]]:
    """Name, layer and the module that it belongs to, of every linear layer."""
    modules = dict(model.named_modules())
    for name, module in modules.items():
        if isinstance(module, nn.Linear | Conv1D):
            yield name, module, modules.get(name.rpartition(".")[0])


Parts = tuple[int, tuple[int, ...]]
"""Repeats, and the outputs of each fused map."""


def _fused(name: str, outputs: int, parent: Any) -> Parts:
    own_name = name.rpartition(".")[2]
    if own_name == "gate_up_proj":
        return 1, (outputs // 2, outputs // 2)
    if not re.search(r"qkv|query_key_value|c_attn", own_name, re.IGNORECASE):
        return 1, ()
    parts = _ATTENTION.get(type(parent).__name__)
    if parts is None:
        raise InputError(
            f"optimizer muon: {name} of {type(parent).__name__} seems to hold queries, keys and values in one matrix, "
            "in an order that is not known. Choose another model.family, or another optimizer."
        )
    return parts(outputs, parent)


def _thirds(outputs: int, attention: Any) -> Parts:
    return 1, (outputs // 3,) * 3


def _by_head(outputs: int, attention: Any) -> Parts:
    width = getattr(attention, "head_size", None) or attention.head_dim
    return outputs // (3 * width), (width,) * 3


def _grouped(outputs: int, attention: Any) -> Parts:
    keys = attention.num_key_value_heads * attention.head_dim
    return 1, (outputs - 2 * keys, keys, keys)


def _big_code(outputs: int, attention: Any) -> Parts:
    if not attention.multi_query:
        return _by_head(outputs, attention)
    return 1, (outputs - 2 * attention.kv_dim, attention.kv_dim, attention.kv_dim)


_ATTENTION: dict[str, Callable[[int, Any], Parts]] = {
    "BloomAttention": _by_head,
    "CausalSelfAttention": _thirds,  # nanoGPT
    "DbrxAttention": _grouped,
    "GPT2Attention": _thirds,
    "GPTBigCodeAttention": _big_code,
    "GPTNeoXAttention": _by_head,
    "MptAttention": _thirds,
    "PersimmonAttention": _by_head,
    "Phi3Attention": _grouped,
}
