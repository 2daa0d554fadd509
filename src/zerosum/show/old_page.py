"""The HTML page: one file, no script, no request; everything that a user named is escaped by the template."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from zerosum.show.drawing import Drawing, FigureModule, inline_svg
from zerosum.show.names import printable

S = TypeVar("S")


@dataclass(frozen=True)
class FigureOnPage:
    """One figure in both layouts; style sheets show one of them."""

    stem: str
    title: str
    how_to_read: str
    wide: Markup
    narrow: Markup


def render(template: str, provenance: dict[str, Any], **values: Any) -> str:
    """A page from a template of this room, named by its place in it; `layout.html.j2` holds what all pages share."""
    environment = Environment(
        loader=PackageLoader("zerosum.show", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["printable"] = printable
    rows = [(name, list(flat(value)) or [("", "nothing")]) for name, value in provenance.items()]
    return environment.get_template(template).render(provenance=rows, **values)


def on_page(stem: str, module: FigureModule[S], subject: S, drawing: Drawing) -> FigureOnPage:
    """A drawn figure with its words, ready to put into a page."""
    text = printable(module.alt(subject), longest=4_000)
    wide, narrow = inline_svg(drawing.wide, f"{stem}-wide", text), inline_svg(drawing.narrow, f"{stem}-narrow", text)
    return FigureOnPage(stem, module.TITLE, module.HOW_TO_READ, wide, narrow)


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested provenance as (dotted name, text) rows.

    >>> list(flat({"versions": {"numpy": "2.4"}, "seeds": [0, 1]}))
    [('versions.numpy', '2.4'), ('seeds', '0, 1')]
    """
    if isinstance(value, dict):
        for key, one in value.items():
            yield from flat(one, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and not any(isinstance(one, dict) for one in value):
        yield name, ", ".join(map(str, value))
    elif isinstance(value, list | tuple):
        for k, one in enumerate(value):
            yield from flat(one, f"{name}.{k}")
    else:
        yield name, str(value)
