"""How each kind of layer gives its gradient pieces to the recorder. An unknown layer raises `Unsupported`.

Each rule is a torch function with the layer's own forward pass; its backward pass hands over what it sees, and works
on one row of each sequence where no other has a gradient: in the layers after the last attention. A kind of Linear or
Embedding with a forward pass of its own keeps that, and is known by the one of torch that it calls.
To add a layer: a function `..._forward` and its line in `_rule`.

Letters: S sequences, n rows of each (positions, or positions and heads).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from zerosum.gradients.layerwise._norms import norm_forward
from zerosum.gradients.layerwise._pieces import Unsupported
from zerosum.gradients.layerwise._recorder import Recorder

Forward = Callable[..., Any]
BASES = (nn.Linear, nn.Embedding)
OWN = tuple(base.forward for base in BASES)


@contextmanager
def recording(model: Any, recorder: Recorder, leave_out: Any = None) -> Iterator[None]:
    """Inside the block every layer with parameters, except `leave_out`, gives its gradient pieces to `recorder`.

    Raises Unsupported for a layer that no rule is known for.
    """
    patched = []
    for module in model.modules():
        if module is leave_out or not any(recorder.name(parameter) for parameter in module.parameters(recurse=False)):
            continue
        patched.append((module, _rule(module)(module, recorder)))
    kinds = [type(module) for module, _ in patched]
    try:
        for module, forward in patched:
            if type(module).forward in OWN or not isinstance(module, BASES):
                module.forward = forward
            else:
                module.__class__ = _calling(type(module), forward)
        yield
    finally:
        for (module, _), kind in zip(patched, kinds, strict=True):
            module.__dict__.pop("forward", None)
            module.__class__ = kind


def _calling(kind: Any, forward: Forward) -> Any:
    """A class as `kind`, in which `super().forward` is the recorded one: of embeddings that scale or shift, say."""
    base = next(candidate for candidate in BASES if issubclass(kind, candidate))
    between = type(base.__name__, (base,), {"forward": lambda self, x: forward(x)})
    return type(kind.__name__, (kind, between), {})


def _rule(module: Any) -> Callable[[Any, Recorder], Forward]:
    kind = type(module)
    if "forward" in module.__dict__:
        raise Unsupported(f"{kind.__name__} whose forward was replaced")
    if isinstance(module, nn.Linear):
        return linear_forward
    if kind.__name__ == "Conv1D" and kind.__module__ == "transformers.pytorch_utils":
        return conv1d_forward
    if isinstance(module, nn.Embedding):
        if module.max_norm is not None or module.scale_grad_by_freq or module.sparse:
            raise Unsupported("Embedding with max_norm, scale_grad_by_freq or sparse gradients")
        return embedding_forward
    vectors = {name for name, tensor in module.named_parameters(recurse=False) if tensor.ndim == 1}
    names = {name for name, _ in module.named_parameters(recurse=False)}
    if names == vectors and names in ({"weight"}, {"weight", "bias"}):
        return norm_forward
    raise Unsupported(kind.__name__)


def linear_forward(module: Any, recorder: Recorder) -> Forward:
    """y = x W^T + b, W [out, in]."""

    def forward(x: Any) -> Any:
        recorder.used(module.weight, module.bias)
        return _Linear.apply(x, module.weight, module.bias, module, recorder, False)  # type: ignore[no-untyped-call]

    return forward


def conv1d_forward(module: Any, recorder: Recorder) -> Forward:
    """GPT-2's Linear: y = x W + b, W [in, out]."""

    def forward(x: Any) -> Any:
        recorder.used(module.weight, module.bias)
        return _Linear.apply(x, module.weight, module.bias, module, recorder, True)  # type: ignore[no-untyped-call]

    return forward


def embedding_forward(module: Any, recorder: Recorder) -> Forward:
    """y = W[ids]; ids shared by all sequences, [n] or [1, n] (positions), are spelt out for each of them."""

    def forward(ids: Any) -> Any:
        recorder.used(module.weight)
        ids = ids[None] if ids.ndim == 1 else ids
        ids = ids.expand(recorder.sequences, -1) if ids.shape[0] == 1 else ids
        return _Embedding.apply(ids, module.weight, module, recorder)  # type: ignore[no-untyped-call]

    return forward


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, layer: Any, recorder: Recorder, turned: bool) -> Any:
        y = functional.linear(x, weight.T if turned else weight, bias)
        ctx.save_for_backward(x.to(y.dtype), weight, bias, weight.to(y.dtype))  # narrow where the forward pass is
        ctx.layer, ctx.recorder, ctx.turned = layer, recorder, turned
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight, bias, matrix = ctx.saved_tensors
        recorder = ctx.recorder
        matrix = matrix.T if ctx.turned else matrix
        given = recorder.by_sequence(gradient)
        own = recorder.own_row(given, ctx.layer)
        recorder.product(weight, given, recorder.by_sequence(x), own, ctx.turned)
        recorder.vector(bias, given if own is None else given[own][:, None])
        if not ctx.needs_input_grad[0]:
            back = None
        elif own is None:
            back = recorder.back(gradient, matrix)
        else:
            back = x.new_zeros(x.shape)
            recorder.by_sequence(back)[own] = given[own] @ matrix
        return back, None, None, None, None, None


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Any, weight: Any, layer: Any, recorder: Recorder) -> Any:
        ctx.layer, ctx.recorder = layer, recorder
        ctx.save_for_backward(ids, first_places(ids))
        return functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        ids, places = ctx.saved_tensors
        if ctx.layer.padding_idx is not None:  # torch gives this row no gradient
            gradient = gradient * (ids != ctx.layer.padding_idx)[:, :, None]
        ctx.recorder.rows(ctx.layer.weight, ids, gradient, places)
        return None, None, None, None


def first_places(ids: Any) -> Any:
    """The first place of each id in its row. ids: [S, n]. Returns [S, n].

    >>> first_places(torch.tensor([[7, 3, 7, 3, 5]])).tolist()
    [[0, 1, 0, 1, 4]]
    """
    sorted_ids, order = ids.sort(dim=1, stable=True)
    begins = functional.pad(sorted_ids[:, 1:] != sorted_ids[:, :-1], (1, 0), value=True)
    place = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    begin = torch.where(begins, place, 0).cummax(1).values  # of the run of equal ids, in sorted order
    return torch.empty_like(order).scatter_(1, order, order.gather(1, begin))
