"""The rule of norms: y = n(x) (w + c) + b with n free of parameters, c = 0 or 1: LayerNorm and RMSNorm of any spelling.

n(x) = r (x - m), r one over the root of mean square (and of eps), m the mean or 0, has a backward pass in closed form:
g -> r (g - n mean(g n) - mean(g)), the last term where m is a mean. Whether a module is of that kind is found by
trying; the backward pass of any other walks through the module's own operations.

Letters: S sequences, n positions, d width.
"""

from collections.abc import Callable
from typing import Any

import torch

from zerosum.gradients.layerwise._pieces import Unsupported
from zerosum.gradients.layerwise._recorder import Recorder

Forward = Callable[..., Any]
CLOSE = 100  # times the precision, relative to the largest number


def norm_forward(module: Any, recorder: Recorder) -> Forward:
    """y = n(x) (w + c) + b."""
    plain = type(module).forward
    rule: list[tuple[float, bool | None]] = []

    def forward(x: Any) -> Any:
        x = x.to(module.weight.dtype)  # of a narrow forward pass
        if not rule:
            shift = _shift(module, plain, x)
            rule.append((shift, _centred(module, plain, x, 1.0 - shift)))
        shift, centred = rule[0]
        bias = getattr(module, "bias", None)
        recorder.used(module.weight, bias)
        if centred is not None:
            with torch.no_grad():
                normal = _with_weight(module, plain, x, 1.0 - shift)
                r = _scale(x, normal, centred)
            if r is not None:
                how = (shift, centred, module, recorder)
                return _Norm.apply(x, normal, r, module.weight, bias, *how)  # type: ignore[no-untyped-call]
        normal = _with_weight(module, plain, x, 1.0 - shift)
        return _Scale.apply(normal, module.weight, bias, shift, recorder)  # type: ignore[no-untyped-call]

    return forward


def _with_weight(module: Any, plain: Forward, x: Any, value: float) -> Any:
    """What the module gives where its weight is `value` everywhere and its bias 0."""
    weight = {name: torch.zeros_like(parameter) for name, parameter in module.named_parameters(recurse=False)}
    weight["weight"] = torch.full_like(module.weight, value)
    own = {name: module._parameters[name] for name in weight}
    try:
        module._parameters.update(weight)
        return plain(module, x)
    finally:
        module._parameters.update(own)


def _shift(module: Any, plain: Forward, x: Any) -> float:
    """c of y = n(x) (w + c) + b, by trying."""
    with torch.no_grad():
        few = x[:1]
        expected = plain(module, few)
        for shift in (0.0, 1.0):
            output = _with_weight(module, plain, few, 1.0 - shift) * (module.weight + shift)
            output = output if getattr(module, "bias", None) is None else output + module.bias
            if torch.allclose(output, expected, rtol=1e-4, atol=1e-5):
                return shift
    raise Unsupported(type(module).__name__)


def _centred(module: Any, plain: Forward, x: Any, value: float) -> bool | None:
    """Whether m of n(x) = r (x - m) is the mean, or 0, by trying on a few rows; None where n is something else."""
    few = x.detach().flatten(0, -2)[:8].requires_grad_()
    with torch.enable_grad():
        normal = _with_weight(module, plain, few, value)
        g = torch.arange(normal.numel(), device=x.device).cos().view_as(normal).to(normal)
        (expected,) = torch.autograd.grad(normal, few, g)
    few, normal = few.detach(), normal.detach()
    for centred in (False, True):
        r = _scale(few, normal, centred)
        if r is None:
            continue
        closed_form = r * (g - normal * (g * normal).mean(-1, keepdim=True))
        closed_form = closed_form - r * g.mean(-1, keepdim=True) if centred else closed_form
        within = CLOSE * torch.finfo(x.dtype).eps * float(expected.abs().max())
        if float((closed_form - expected).abs().max()) <= within:
            return centred
    return None


def _scale(x: Any, normal: Any, centred: bool) -> Any:
    """r of n(x) = r (x - m), [..., 1], from its result; None where a row of x - m is 0, so that it does not show."""
    size = (x - x.mean(-1, keepdim=True) if centred else x).norm(dim=-1, keepdim=True)
    return None if bool((size == 0).any()) else normal.norm(dim=-1, keepdim=True) / size


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Any,
        normal: Any,
        r: Any,
        weight: Any,
        bias: Any,
        shift: float,
        centred: bool,
        layer: Any,
        recorder: Recorder,
    ) -> Any:
        scale = weight + shift
        ctx.save_for_backward(normal, r, weight, bias)
        ctx.scale, ctx.centred, ctx.layer, ctx.recorder = scale, centred, layer, recorder
        scaled = normal * scale
        return scaled if bias is None else scaled + bias

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        normal, r, weight, bias = ctx.saved_tensors
        recorder, scale = ctx.recorder, ctx.scale
        own = recorder.own_row(gradient, ctx.layer)
        g, n, r = (x if own is None else x[own][:, None] for x in (gradient, normal, r))
        by_weight = g * n
        recorder.vector(weight, recorder.by_sequence(by_weight))
        recorder.vector(bias, recorder.by_sequence(g))
        back = None
        if ctx.needs_input_grad[0]:
            d = scale.numel()
            back = (g * scale).mul_(r)
            back.addcmul_(n, r * (by_weight @ scale)[..., None], value=-1 / d)
            if ctx.centred:
                back.addcmul_(r, (g @ scale)[..., None], value=-1 / d)
            if own is not None:
                row, back = back[:, 0], torch.zeros_like(gradient)
                back[own] = row
        return back, None, None, None, None, None, None, None, None


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
        recorder.vector(weight, recorder.by_sequence(gradient * normal))
        recorder.vector(bias, recorder.by_sequence(gradient))
        return gradient * (weight + ctx.shift), None, None, None, None
