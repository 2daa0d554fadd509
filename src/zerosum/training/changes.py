"""Changes to a recipe, as `--set a.b=c` writes them: dotted names with values. Only a change of family needs torch.

>>> with_changes(Recipe(name="a", steps=8), {"optimizer.lr": 0.01}).optimizer.lr
0.01
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from zerosum.errors import InputError
from zerosum.training.recipe import Recipe, flat_values
from zerosum.training.settings import Kind

_WORDS = ("y", "n", "yes", "no", "on", "off")  # truth values in YAML 1.1, but "no" is a value of mixed_precision
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+")  # a number for everybody, a text in YAML 1.1
_LONGEST_LABEL = 80


def parse_changes(texts: Sequence[str]) -> dict[str, Any]:
    """Changes from texts like "optimizer.lr=1e-3"; values are YAML. Raises InputError where a text is none.

    >>> parse_changes(["optimizer.lr=1e-3", "optimizer.betas=[0.9, 0.95]", "mixed_precision=no"])
    {'optimizer.lr': 0.001, 'optimizer.betas': [0.9, 0.95], 'mixed_precision': 'no'}
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and re.fullmatch(r"\w+(\.\w+)*", name)):
            raise InputError(f"--set {text[:60]!r}: not NAME=VALUE. Write for example --set optimizer.lr=1e-3.")
        if name in changes:
            raise InputError(f"--set {name}: given twice. Leave one out.")
        changes[name] = _value(name, value)
    return changes


def with_changes(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other values. changes: dotted name -> value; nested mappings are read as dotted names.

    Another `kind` (`optimizer.kind`) brings the settings of that kind: of the former ones only those that every kind
    has are unchanged (learning rate and clipping of an optimizer, warm-up of a schedule). Another `model.family` leaves
    the settings that the family has. Changes of the same call come on top.
    Raises InputError where a name is not known, with the nearest one, or a value is not possible.
    """
    values = recipe.model_dump(mode="json")
    given = flat_values(changes)
    for part, base in _parts_with_kinds().items():
        kind = given.get(f"{part}.kind")
        if kind is not None and kind != values[part]["kind"]:
            values[part] = {name: values[part][name] for name in base.model_fields if name != "kind"}
    family = given.get("model.family")
    if family is not None and family != recipe.model.family:
        values["model"] = _settings_of_family(str(family), values["model"])
    for name, value in given.items():
        _require_place(name, values)
        _set(values, name, value)
    return Recipe.read(values, recipe.name)


def label(changes: Mapping[str, Any]) -> str:
    """Changes as part of a folder's name; different for different changes.

    >>> label({"optimizer.kind": "lion", "optimizer.betas": [0.9, 0.99]})
    'optimizer.kind=lion,optimizer.betas=0.9-0.99'
    """
    text = ",".join(f"{name}={value}" for name, value in flat_values(changes).items())
    readable = re.sub(r"[^\w.=,+-]+", "-", text.replace(", ", "-").replace("[", "").replace("]", ""), flags=re.ASCII)
    if len(readable) <= _LONGEST_LABEL:
        return readable
    return f"{readable[:_LONGEST_LABEL]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _value(name: str, text: str) -> Any:
    try:
        return plain_value(text if text.lower() in _WORDS else yaml.safe_load(text))
    except yaml.YAMLError as error:
        cause = " ".join(str(error).split())[:100]
        raise InputError(f"--set {name}={text[:60]}: not YAML ({cause}). Put a text with signs into quotes.") from error


def plain_value(value: Any) -> Any:
    """A value as YAML reads it, with texts like 1e-3, which are texts in YAML 1.1, as numbers; lists, too."""
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    return float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value


def _parts_with_kinds() -> dict[str, type[Kind]]:
    """Parts of a recipe that have a kind, with the settings that all kinds have."""
    fields = {name: field.annotation for name, field in Recipe.model_fields.items()}
    return {name: part for name, part in fields.items() if isinstance(part, type) and issubclass(part, Kind)}


def _settings_of_family(family: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    from zerosum.training.models import known_fields

    known = {*known_fields(family), "trained_norms"}
    return {name: value for name, value in settings.items() if name in known}


def _require_place(name: str, values: Mapping[str, Any]) -> None:
    """Raise InputError for a setting without its part, as lr for optimizer.lr."""
    inside = [known for known in flat_values(values) if known.endswith(f".{name}")]
    if name not in values and inside:
        raise InputError(f"{name}: not known. Did you mean {inside[0]}?")


def _set(values: dict[str, Any], name: str, value: Any) -> None:
    *parts, last = name.split(".")
    for depth, part in enumerate(parts, start=1):
        inner = values.get(part)
        if inner is None:
            inner = values[part] = {}
        if not isinstance(inner, dict):
            raise InputError(f"{name}: {'.'.join(parts[:depth])} is a value and has no settings. Set it alone.")
        values = inner
    values[last] = value
