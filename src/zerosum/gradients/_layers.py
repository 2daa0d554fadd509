"""How each kind of layer tells the recorder its gradients. A layer that is not known is `Unsupported`.

Each rule is a torch function with the layer's own forward pass; its backward pass hands over what it sees and works on
the positions alone that get a gradient at all: those up to the token's own, and in the last layers this one alone.
To add a layer: a function `..._forward` and its line in `_rule`.

Letters: S sequences, n rows of each (positions, or positions and heads).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from zerosum.gradients._recorder import Dense, Product, Recorder, Rows, Unsupported

Forward = Callable[..., Any]


@contextmanager
def recording(model: Any, recorder: Recorder, leave_out: Any = None) -> Iterator[None]:
    """Every layer with parameters, but for the module `leave_out`, tells `recorder` its gradients inside the block.

    Raises Unsupported for a layer that no rule is known for.
    """
    patched = []
    for module in model.modules():
        if module is leave_out or not any(recorder.name(one) for one in module.parameters(recurse=False)):
            continue
        patched.append((module, _rule(module)(module, recorder)))
    try:
        for module, forward in patched:
            module.forward = forward
        yield
    finally:
        for module, _ in patched:
            module.__dict__.pop("forward", None)


def _rule(module: Any) -> Callable[[Any, Recorder], Forward]:
    kind = type(module)
    if "forward" in module.__dict__:
        raise Unsupported(f"{kind.__name__} whose forward was replaced")
    if isinstance(module, nn.Linear) and kind.forward is nn.Linear.forward:
        return linear_forward
    if kind.__name__ == "Conv1D" and kind.__module__ == "transformers.pytorch_utils":
        return conv1d_forward
    if isinstance(module, nn.Embedding) and kind.forward is nn.Embedding.forward:
        if module.max_norm is not None or module.scale_grad_by_freq or module.sparse:
            raise Unsupported("Embedding with max_norm, scale_grad_by_freq or sparse gradients")
        return embedding_forward
    owned = dict(module.named_parameters(recurse=False))
    if set(owned) <= {"weight", "bias"} and "weight" in owned and all(one.ndim == 1 for one in owned.values()):
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
    """y = W[ids]; ids shared by all sequences (positions) are spelt out for each of them."""

    def forward(ids: Any) -> Any:
        recorder.used(module.weight)
        ids = ids.expand(recorder.sequences, -1) if ids.shape[0] == 1 else ids
        return _Embedding.apply(ids, module.weight, module, recorder)  # type: ignore[no-untyped-call]

    return forward


def norm_forward(module: Any, recorder: Recorder) -> Forward:
    """y = n(x) (w + c) + b with n free of parameters, c = 0 or 1: LayerNorm and RMSNorm of any spelling."""
    plain = type(module).forward

    def forward(x: Any) -> Any:
        bias = getattr(module, "bias", None)
        shift = _shift(module, plain, x)
        normal = _with_weight(module, plain, x, 1.0 - shift)
        recorder.used(module.weight, bias)
        return _Scale.apply(normal, module.weight, bias, shift, recorder)  # type: ignore[no-untyped-call]

    return forward


def _with_weight(module: Any, plain: Forward, x: Any, value: float) -> Any:
    """What the module gives where its weight is `value` everywhere and its bias 0."""
    weight = {name: torch.zeros_like(one) for name, one in module.named_parameters(recurse=False)}
    weight["weight"] = torch.full_like(module.weight, value)
    kept = {name: module._parameters[name] for name in weight}
    try:
        module._parameters.update(weight)
        return plain(module, x)
    finally:
        module._parameters.update(kept)


def _shift(module: Any, plain: Forward, x: Any) -> float:
    """c of y = n(x) (w + c) + b, by trying."""
    with torch.no_grad():
        few = x[:1]
        expected = plain(module, few)
        for shift in (0.0, 1.0):
            found = _with_weight(module, plain, few, 1.0 - shift) * (module.weight + shift)
            found = found if getattr(module, "bias", None) is None else found + module.bias
            if torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
                return shift
    raise Unsupported(type(module).__name__)


def _by_sequence(x: Any, sequences: int) -> Any:
    """[S, ..., d] or [S n, d] -> [S, n, d]."""
    if x.shape[0] == sequences or (x.ndim == 2 and x.shape[0] % sequences == 0):
        return x.reshape(sequences, -1, x.shape[-1])
    raise Unsupported(f"a layer whose input of shape {tuple(x.shape)} does not keep sequences apart")


def _touched(gradient: Any, layer: Any, recorder: Recorder) -> slice:
    """The rows from the first to the last that have a gradient. gradient: [S, n, d].

    Which these are is a matter of the model's structure: a layer once seen to reach back from the token's position to
    others is taken to reach back to all of them, which is never wrong and saves looking.
    """
    if layer in recorder.reaching_back:
        return slice(0, recorder.position + 1)
    rows = (gradient != 0).any(-1).any(0).nonzero()
    if len(rows) == 0:
        return slice(0, 0)
    found = slice(int(rows[0]), int(rows[-1]) + 1)
    if len(rows) > 1 and found.stop == recorder.position + 1 and gradient.shape[1] == recorder.positions:
        recorder.reaching_back.add(layer)
    return found


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, layer: Any, recorder: Recorder, turned: bool) -> Any:
        ctx.save_for_backward(x, weight, bias)
        ctx.layer, ctx.recorder, ctx.turned = layer, recorder, turned
        return functional.linear(x, weight.T if turned else weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight, bias = ctx.saved_tensors
        recorder = ctx.recorder
        given = _by_sequence(gradient, recorder.sequences)
        rows = _touched(given, ctx.layer, recorder)
        if rows.stop == rows.start:
            return torch.zeros_like(x), None, None, None, None, None
        given, inputs = given[:, rows], _by_sequence(x, recorder.sequences)[:, rows]
        if (name := recorder.name(weight)) is not None:
            recorder.add(name, Product(inputs, given) if ctx.turned else Product(given, inputs))
        if bias is not None and (name := recorder.name(bias)) is not None:
            recorder.add(name, Dense(given.sum(1)))
        if not ctx.needs_input_grad[0]:
            return None, None, None, None, None, None
        back = torch.zeros_like(x)
        _by_sequence(back, recorder.sequences)[:, rows] = given @ (weight.T if ctx.turned else weight)
        return back, None, None, None, None, None


class _Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Any, weight: Any, layer: Any, recorder: Recorder) -> Any:
        ctx.layer, ctx.recorder = layer, recorder
        ctx.save_for_backward(ids, *_distinct(ids))
        return functional.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        ids, distinct, place = ctx.saved_tensors
        name = ctx.recorder.name(ctx.layer.weight)
        rows = _touched(gradient, ctx.layer, ctx.recorder)
        if name is None or rows.stop == rows.start:
            return None, None, None, None
        given, place = gradient[:, rows], place[:, rows]
        if ctx.layer.padding_idx is not None:  # torch gives this row no gradient
            given = given * (ids[:, rows] != ctx.layer.padding_idx)[:, :, None]
        values = given.new_zeros(*distinct.shape, given.shape[-1])
        values.scatter_add_(1, place[:, :, None].expand_as(given), given)
        ctx.recorder.add(name, Rows(distinct, values))
        return None, None, None, None


def _distinct(ids: Any) -> tuple[Any, Any]:
    """Distinct ids of each sequence, [S, U] (filled up with 0, where nothing is added), and where each id stands."""
    found = [torch.unique(one, return_inverse=True) for one in ids]
    distinct = nn.utils.rnn.pad_sequence([values for values, _ in found], batch_first=True)
    return distinct, torch.stack([place for _, place in found])


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, normal: Any, weight: Any, bias: Any, shift: float, recorder: Recorder) -> Any:
        ctx.save_for_backward(normal, weight, bias)
        ctx.recorder, ctx.shift = recorder, shift
        scaled = normal * (weight + shift)
        return scaled if bias is None else scaled + bias

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        normal, weight, bias = ctx.saved_tensors
        recorder = ctx.recorder
        given = _by_sequence(gradient, recorder.sequences)
        if (name := recorder.name(weight)) is not None:
            recorder.add(name, Dense((given * _by_sequence(normal, recorder.sequences)).sum(1)))
        if bias is not None and (name := recorder.name(bias)) is not None:
            recorder.add(name, Dense(given.sum(1)))
        return gradient * (weight + ctx.shift), None, None, None, None
