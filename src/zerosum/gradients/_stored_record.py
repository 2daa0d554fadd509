"""The record as it lies in a store, and back: one serialiser for both. Needs no torch."""

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from zerosum.gradients._old_document import fields_of
from zerosum.gradients._result import GradientInterference

ARRAYS = {"per_token", "unit"}  # stored beside the record, as arrays


@cache
def _adapter() -> Any:  # of GradientInterference
    return TypeAdapter(GradientInterference)


def as_attributes(record: GradientInterference) -> dict[str, Any]:
    """The record without its arrays, as plain JSON; not-a-number is the word "NaN"."""
    attributes: dict[str, Any] = json.loads(_adapter().dump_json(record, exclude=ARRAYS))
    return attributes


def from_attributes(attributes: dict[str, Any]) -> GradientInterference:
    """The record in the attributes of a store, also of one written when documents were stored.

    Raises ValueError where there is no such record, or it is damaged.
    """
    try:
        if "record" not in attributes and "document" in attributes:
            fields = fields_of(attributes["document"])
        else:
            fields = attributes["record"]
        record: GradientInterference = _adapter().validate_python(fields)
        return record
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"the record of gradients has {place}: {first['msg']}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no record of gradients ({type(error).__name__}: {error})") from None
