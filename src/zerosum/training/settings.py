"""Settings that a recipe is made of, and errors in them in one line. Needs no torch."""

import reprlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from zerosum.training.kinds import Kinds


class Part(BaseModel):
    """Part of a recipe: frozen, numbers are finite, and unknown names are errors, so that no typo is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Kind(Part):
    """Settings of a kind of something. kind: the name of the file that defines it."""

    kind: str = ""

    @model_validator(mode="after")
    def _kind_is_its_own(self) -> "Kind":
        expected = type(self).model_fields["kind"].default
        if self.kind != expected:
            raise ValueError(f"these are settings of {expected}, not of {self.kind}")
        return self


def first_problem(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """The first problem that pydantic names, in one line. model: whose fields are proposed for an unknown name."""
    problem = error.errors()[0]
    place = ".".join(map(str, problem["loc"]))
    message = _with_value(problem)
    if isinstance(problem.get("ctx", {}).get("error"), _ProblemInside):
        return f"{place}.{message}"
    if problem["type"] == "extra_forbidden":
        return unknown_name(place, _fields_at(model, problem["loc"][:-1]))
    return f"{place}: {message}" if place else message


def _with_value(problem: ErrorDetails) -> str:
    """What pydantic says of a value, with the value: "should be greater than 0, not -1"."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return "missing"
    if not message.startswith("Input should "):
        return message
    if problem["type"] in ("model_type", "dict_type", "dataclass_type"):
        expected = "should be settings as NAME: VALUE"
    elif problem["type"] in ("tuple_type", "list_type"):
        expected = "should be a list of values"
    elif problem["type"] == "literal_error":  # its commas are between the choices
        expected = message.removeprefix("Input ")
    else:
        expected = message.removeprefix("Input ").partition(", ")[0]
    return f"{expected}, not {reprlib.repr(problem['input'])}"


class _ProblemInside(ValueError):
    """A problem of settings of a kind, which begins with the name of a setting."""


def as_sentence(problem: str) -> str:
    """The problem with a full stop at its end, unless it is a question."""
    return problem if problem.endswith(("?", ".")) else f"{problem}."


def unknown_name(name: str, known: list[str]) -> str:
    """Says that a name is not known, with the nearest known name, or with all of them.

    >>> unknown_name("optimizer.lrr", ["lr", "clip"])
    'optimizer.lrr: not known. Did you mean lr?'
    """
    nearest = get_close_matches(name.rpartition(".")[2], known, n=1)
    if nearest:
        return f"{name}: not known. Did you mean {nearest[0]}?"
    return f"{name}: not known. Known here: {', '.join(known)}" if known else f"{name}: not known"


def _fields_at(model: type[BaseModel] | None, place: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the part of a recipe at a place."""
    for name in place:
        field = model.model_fields.get(str(name)) if model else None
        part = field.annotation if field else None
        model = part if isinstance(part, type) and issubclass(part, BaseModel) else None
    return list(model.model_fields) if model else []


KindSettings = TypeVar("KindSettings", bound=Kind)


def kind_reader(kinds: Kinds[KindSettings], default: KindSettings) -> Callable[[Any], Any]:
    """A validator that reads settings of any kind from a mapping; values without a kind replace those of `default`.

    `name` is read as `kind`: so recipes of earlier versions called it.
    """

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = {"kind" if key == "name" else key: setting for key, setting in value.items()}
        given = given if "kind" in given else {**default.model_dump(), **given}
        settings = kinds.settings(str(given["kind"]))
        try:
            return settings.model_validate(given)
        except ValidationError as error:
            inside = _ProblemInside if error.errors()[0]["loc"] else ValueError
            raise inside(first_problem(error, settings)) from error

    return read
