"""The one place that calls models: no verb, training included, lets a model keep keys and values for later calls.

A cache is wrong where one layer object stands at two depths (its second call also attends to the keys of its first),
and some families write into theirs in place, which no backward pass survives. Letters: s sequences, T positions,
V vocabulary, d width.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from inspect import signature
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from zerosum.errors import InputError


def logits_of(model: Any, ids: Int[Tensor, "s T"]) -> Float[Tensor, "s T V"]:
    """The logits of a model, or of any callable that returns them as they are, first in a tuple, or as `.logits`."""
    with without_cache(model):
        return logits_in(model(ids))


def last_hidden(body: Any, ids: Int[Tensor, "s T"]) -> Float[Tensor, "s T d"]:
    """The last hidden states that the body of a model returns, as they are or first in its output."""
    hidden: Float[Tensor, "s T d"] = _first(body_output(body, ids))
    return hidden


def body_output(body: Any, ids: Int[Tensor, "s T"]) -> Any:
    """All that the body of a model returns."""
    with without_cache(body):
        return body(ids)


def logits_in(output: Any) -> Float[Tensor, "s T V"]:
    """The logits in the output of a model. Raises InputError where it has none."""
    logits = getattr(output, "logits", output)
    if isinstance(logits, tuple | list) and len(logits):
        logits = logits[0]
    if not (isinstance(logits, Tensor) and logits.ndim == 3):
        shape = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"{type(logits).__name__}"
        raise InputError(
            f"model: it returns {shape} and no logits [sequence, position, token id]. Give a causal language model "
            "(AutoModelForCausalLM), or a module that returns logits."
        )
    return logits


@contextmanager
def without_cache(model: Any) -> Iterator[None]:
    """Inside the block, every module of the model that has the option `use_cache` is called with False.

    Each of them, because a module around a model need not pass options on, and some decoders cache by default.
    """
    modules = model.modules() if isinstance(model, nn.Module) else ()
    hooks = [
        module.register_forward_pre_hook(_no_cache, with_kwargs=True, prepend=True)
        for module in modules
        if _place_of_option(_forward_of(module)) is not None
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _no_cache(module: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    at = _place_of_option(_forward_of(module))
    if at is not None and at < len(arguments):
        return (*arguments[:at], False, *arguments[at + 1 :]), options
    return arguments, options | {"use_cache": False}


def _forward_of(module: nn.Module) -> Callable[..., Any] | None:
    """The `forward` of a module's class; None of a scripted one, whose class has none."""
    return getattr(type(module), "forward", None)


@cache
def _place_of_option(forward: Callable[..., Any] | None) -> int | None:
    """The place of `use_cache` among the arguments of a class's `forward`, without `self`; None where it has none."""
    names = [] if forward is None else list(signature(forward).parameters)
    return names.index("use_cache") - 1 if "use_cache" in names else None


def _first(output: Any) -> Any:
    return output if isinstance(output, Tensor) else output[0]
