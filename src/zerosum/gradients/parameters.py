"""The trainable parameters of a model, each once: a tied or shared matrix is one parameter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["embedding", "head", "matrix", "norm", "bias"]
ROUNDING = 64  # times the precision: gradients that small beside their layer's mean are rounding
NOT_IN_D_GRAD = ("embedding", "head")  # kinds that D_grad leaves out


@dataclass(frozen=True)
class Parameter:
    """One trainable tensor. name: the first of its names. kind: "embedding" also where it is tied to the head.

    looked_up: whether its rows are looked up, so that a token has a gradient in some of them alone.
    """

    name: str
    kind: Kind
    tensor: Any
    looked_up: bool = False


def trainable(model: Any) -> tuple[Parameter, ...]:
    """Every parameter that asks for a gradient, in the model's order, a shared one once.

    kind: of the token embedding, of the output head and its bias, of another tensor with two axes or more ("matrix",
    position embeddings too), of a vector called bias ("bias"), of any other vector or scalar ("norm").
    """
    embedding, head = _ends(model)
    from torch.nn import Embedding

    looked_up = {id(module.weight) for module in model.modules() if isinstance(module, Embedding)}
    parameters = []
    for name, tensor in model.named_parameters():
        if not tensor.requires_grad:
            continue
        kind: Kind = "matrix" if tensor.ndim >= 2 else "bias" if name.rsplit(".", 1)[-1].endswith("bias") else "norm"
        if tensor is getattr(embedding, "weight", None):
            kind = "embedding"
        elif head is not None and any(tensor is own for own in head.parameters(recurse=False)):
            kind = "head"
        parameters.append(Parameter(name, kind, tensor, id(tensor) in looked_up))
    return tuple(parameters)


def layer_of(name: str) -> str:
    """The layer that a parameter is in: up to the first number in its name, else the module that holds it.

    >>> layer_of("model.layers.12.mlp.up_proj.weight"), layer_of("model.norm.weight"), layer_of("scale")
    ('model.layers.12', 'model.norm', 'scale')
    """
    parts = name.split(".")
    at = next((k for k, part in enumerate(parts) if part.isdecimal()), len(parts) - 2)
    return ".".join(parts[: at + 1]) or name


def by_layer(parameters: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    """Layer -> its parameters, in the model's order."""
    layers: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        layers.setdefault(layer_of(parameter.name), []).append(parameter)
    return layers


def in_D_grad(parameters: Sequence[Parameter], kinds: Sequence[Kind] = ("matrix", "norm", "bias")) -> list[Parameter]:
    """Those that D_grad is the mean of; kinds ("matrix",): D_grad_matrices."""
    return [parameter for parameter in parameters if parameter.kind in kinds]


def names_its_ends(model: Any) -> bool:
    """Whether the model, or a model in it, says what its embedding or head is."""
    return any(end is not None for end in _ends(model))


def _ends(model: Any) -> tuple[Any, Any]:
    """The modules that a transformers model, or the first one inside others, names as embedding and head; or None."""
    getters = ("get_input_embeddings", "get_output_embeddings")
    inner = next((module for module in model.modules() if all(hasattr(module, getter) for getter in getters)), None)
    embedding, head = (named_by(inner, getter) for getter in getters)
    return embedding, head


def named_by(model: Any, getter: str) -> Any:
    """What a method of a transformers model gives; None where it has no such method, or names nothing."""
    try:
        return getattr(model, getter)()
    except (AttributeError, NotImplementedError):
        return None
