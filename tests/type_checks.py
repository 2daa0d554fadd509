"""Checks of types and shapes while tests run: every function of the package, wrapped as it is imported."""

from dataclasses import is_dataclass
from functools import wraps
from inspect import isclass, isgeneratorfunction
from typing import Any, get_args, get_type_hints

import jaxtyping
from beartype import BeartypeConf, beartype


def check_package() -> None:
    """Wrap the functions and dataclasses of zerosum, which must not be imported yet, in `checked`.

    jaxtyping's import hook would wrap them in `jaxtyping.jaxtyped(typechecker=checked)`, which checks the same and
    binds the arguments of every call: a fifth of the processor time of all tests of gradients.
    """
    jaxtyping.jaxtyped = lambda typechecker: typechecker
    jaxtyping.install_import_hook("zerosum", "type_checks.checked")


_typed = beartype(conf=BeartypeConf(violation_type=jaxtyping.TypeCheckError))
_slowly = jaxtyping.jaxtyped
_sizes_of_call = jaxtyping.jaxtyped("context")
"""Within it, an axis of one name has one size."""


def checked(subject):
    """A function whose arguments and result are checked, with the sizes of named axes the same in one call.

    Of a class, the constructor is, where a dataclass made it. beartype makes the check at the first call: most
    functions are not called by every process, and names that a module defines later can be hints.
    """
    if isclass(subject):
        if is_dataclass(subject) and "__init__" in vars(subject):
            subject.__init__ = checked(subject.__init__)
        return subject
    call = None

    @wraps(subject)
    def wrapper(*args, **kwargs):
        __tracebackhide__ = True
        nonlocal call
        if call is None:
            call = _with_checks(subject)
        return call(*args, **kwargs)

    return wrapper


def _with_checks(function):
    hints = {name: _evaluated(hint, function.__globals__) for name, hint in function.__annotations__.items()}
    function.__annotations__ = hints
    has_axes = any(_has_axes(hint) for hint in hints.values())
    if has_axes and isgeneratorfunction(function):  # its body runs within other calls
        return _slowly(typechecker=_typed)(function)
    call = _typed(function)
    if not has_axes:
        return call

    def in_one_scope(*args, **kwargs):
        __tracebackhide__ = True
        with _sizes_of_call:
            return call(*args, **kwargs)

    return in_one_scope


def _evaluated(hint, names):
    """A hint with its texts replaced by what they name; anything, where only type checkers import that."""

    def holder():
        pass

    holder.__annotations__ = {"hint": hint}
    try:
        return get_type_hints(holder, names, include_extras=True)["hint"]
    except Exception:  # noqa: BLE001
        return Any


def _has_axes(hint):
    return (isclass(hint) and issubclass(hint, jaxtyping.AbstractArray)) or any(map(_has_axes, get_args(hint)))
