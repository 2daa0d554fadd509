"""Checks of types and shapes while tests run: `--jaxtyping-packages=zerosum,type_checks.beartype_once`."""

from typing import Any

from beartype import beartype


def beartype_once(function):
    """beartype, with each parameter checked once.

    jaxtyping calls two functions for each call: one with the parameters, which returns Any, and then one with the
    parameters again and the result. The second has only the result left to check: the sizes of the axes are known.
    """
    annotations = function.__annotations__
    if annotations.get("return", Any) is not Any:
        function.__annotations__ = dict.fromkeys(annotations, Any) | {"return": annotations["return"]}
    return beartype(function)
