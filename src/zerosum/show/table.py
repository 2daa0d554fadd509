"""A table is declared once: columns, and rows of estimates, counts and texts. Five renderers write it.

For people: `on_terminal`, `on_page` (cells for the template) and `as_latex` round each number to what its interval
supports. For scripts: `as_csv` and `as_json` have full precision. Texts may be anybody's: each renderer escapes them.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

from zerosum.estimate import Estimate
from zerosum.show import numbers as n
from zerosum.show.latex import DASH, escape, in_math, tabular
from zerosum.show.names import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

Medium = Literal["terminal", "page", "latex", "csv", "json"]
PEOPLE: tuple[Medium, ...] = ("terminal", "page", "latex")
SCREEN: tuple[Medium, ...] = ("terminal", "page")
SCRIPTS: tuple[Medium, ...] = ("csv", "json")
CSV: tuple[Medium, ...] = ("csv",)
ALL: tuple[Medium, ...] = (*PEOPLE, *SCRIPTS)
FORMULA_STARTS = tuple("=+-@\t\r")  # a spreadsheet would run such a text
NARROW = 80  # columns of a terminal below which each cell gets a line of its own


@dataclass(frozen=True)
class Column:
    """name: key in CSV and JSON. head: heading for people, the name without one. unit: below the heading.

    form: how numbers are rounded for people. interval: whether CSV has columns for its ends. on: where it is shown.
    tex: heading in LaTeX.
    """

    name: str
    head: str = ""
    unit: str = ""
    form: n.Form = n.PLAIN
    interval: bool = False
    on: tuple[Medium, ...] = ALL
    tex: str = ""


@dataclass(frozen=True)
class Text:
    """Words in a cell. below: on a line of its own. note: in small print on a page."""

    main: str
    below: str = ""
    note: str = ""


@dataclass(frozen=True)
class PlusMinus:
    """A number with its standard error, NaN where there is none. CSV and JSON have the number alone."""

    value: float
    error: float

    @property
    def places(self) -> int:
        """Decimal places that the error supports."""
        known = math.isfinite(self.error) and self.error > 0
        return n.decimals(self.value, (self.value - self.error, self.value + self.error) if known else None)

    @property
    def below(self) -> str:
        """The error as people read it, or nothing."""
        return n.number(self.error, self.places) if math.isfinite(self.error) and self.error > 0 else ""


Value = Estimate | PlusMinus | Text | int | float | str | bool | None


@dataclass(frozen=True)
class Table:
    """name: stem of its files. caption: its title. rows: one value for each column; the first is the row's heading.

    legend: what brackets and symbols mean, in a sentence or two.
    """

    name: str
    caption: str
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    legend: str = ""

    def shown_on(self, medium: Medium) -> tuple[list[Column], list[list[Value]]]:
        """The columns that a medium shows, and their values row by row."""
        places = [k for k, column in enumerate(self.columns) if medium in column.on]
        return [self.columns[k] for k in places], [[row[k] for k in places] for row in self.rows]

    def with_csv(self, rows: Sequence[Mapping[str, "Value"]]) -> "Table":
        """The same table with other columns in CSV: one mapping for each row, column name -> value.

        Columns come in order of first appearance; a row without one of them has an empty field there.
        """
        names = list(dict.fromkeys(name for row in rows for name in row))
        people = tuple(replace(column, on=tuple(m for m in column.on if m != "csv")) for column in self.columns)
        cells = [tuple(row.get(name) for name in names) for row in rows]
        own = self.rows or ((),) * len(rows)
        joined = tuple((*row, *more) for row, more in zip(own, cells, strict=True))
        columns = (*people, *(Column(name, on=("csv",)) for name in names))
        return replace(self, columns=columns, rows=joined)


def with_ends(name: str, estimate: Estimate) -> dict[str, float]:
    """The value and the ends of the interval under their names in CSV; NaN where there is none."""
    low, high = estimate.interval or (math.nan, math.nan)
    return {name: estimate.value, f"{name}_low": low, f"{name}_high": high}


def cell(value: Value, form: n.Form = n.PLAIN) -> Text:
    """A value in the words of people: the number, its interval below it, why one of them is missing as a note.

    >>> cell(Estimate(2.5858, (2.53, 2.64)), n.L_D).main, cell(1234).main, cell(None).main
    ('2.586', '1,234', '—')
    """
    if isinstance(value, Text):
        return value
    if value is None:
        return Text("—")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    if isinstance(value, int):
        return Text(n.count(value))
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, Estimate):
        return _estimate(value, form)
    if isinstance(value, PlusMinus):
        return Text(n.number(value.value, value.places), f"± {value.below}" if value.below else "")
    return Text(n.written(value, None, form)[0])


def _estimate(value: Estimate, form: n.Form) -> Text:
    if not value.known:
        return Text("—", note=value.reason)
    main, ends = n.written(value.value, value.interval, form)
    return Text(main, ends, "" if value.interval or not value.reason else f"no interval: {value.reason}")


def on_page(table: Table) -> list[list[Text]]:
    """The cells of the page, row by row."""
    columns, rows = table.shown_on("page")
    return [[cell(value, column.form) for column, value in zip(columns, row, strict=True)] for row in rows]


def on_terminal(table: Table, width: int) -> "RenderableType":
    """A rich table; in a terminal too narrow for it, one line for each cell. width: of the terminal, in columns."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text as RichText

    columns, rows = table.shown_on("terminal")
    cells = [[cell(value, column.form) for column, value in zip(columns, row, strict=True)] for row in rows]
    if width < NARROW:
        lines = [_listed(columns, row) for row in cells]
        return Group(*(RichText("\n".join([*line, ""])) for line in lines))
    headed = any((column.head or column.name).strip() for column in columns)
    shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False, show_header=headed)
    for k, column in enumerate(columns):
        words = k == 0 or all(isinstance(row[k], str | Text) for row in rows)
        heading = RichText("\n".join(filter(None, (column.head or column.name, column.unit))))
        shown.add_column(
            heading, justify="left" if words else "right", overflow="fold", max_width=40 if k == 0 else None
        )
    for row in cells:
        shown.add_row(*map(_rich, row))
    return shown


def _rich(shown: Text) -> Any:
    from rich.text import Text as RichText

    text = RichText(printable(shown.main, 400))
    return text.append(f"\n{printable(shown.below)}", style="dim") if shown.below else text


def _listed(columns: Iterable[Column], row: Iterable[Text]) -> Iterator[str]:
    for column, shown in zip(columns, row, strict=True):
        unit = f" {column.unit}" if column.unit and shown.main != "—" else ""
        yield f"{column.head or column.name:<12}{printable(' '.join(filter(None, (shown.main, shown.below))))}{unit}"


def as_latex(table: Table) -> str:
    """A booktabs tabular; needs \\usepackage{booktabs} alone."""
    columns, rows = table.shown_on("latex")
    words = (all(isinstance(row[k], str | Text) for row in rows) for k in range(len(columns)))
    left = sum(1 for _ in takewhile(bool, words))
    heads = [column.tex or escape(column.head or column.name) for column in columns]
    body = [[_tex(value, column.form) for column, value in zip(columns, row, strict=True)] for row in rows]
    return tabular(heads, body, left, table.legend)


def _tex(value: Value, form: n.Form) -> str:
    shown = cell(value, form)
    if shown.main == "—":
        return DASH
    if isinstance(value, str | Text | bool):
        return escape(shown.main)
    if isinstance(value, PlusMinus):
        return in_math(shown.main) + (rf" {{\scriptsize$\pm$ {in_math(value.below)}}}" if value.below else "")
    ends = shown.below.strip("[]").split(",\xa0") if shown.below else []
    interval = rf" {{\scriptsize[{', '.join(map(in_math, ends))}]}}" if ends else ""
    return in_math(shown.main) + interval


def as_csv(table: Table) -> str:
    """Full precision; an estimate has columns for both ends of its interval, and why it has none."""
    buffer = io.StringIO()
    columns, rows = table.shown_on("csv")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([name for column in columns for name in _names(column)])
    for row in rows:
        writer.writerow([text for column, value in zip(columns, row, strict=True) for text in _fields(column, value)])
    return buffer.getvalue()


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of a figure's numbers, with the columns of all rows in order of first appearance; texts as in `as_csv`."""
    buffer = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_plain_field(row.get(name)) for name in names] for row in rows)
    return buffer.getvalue()


def _names(column: Column) -> list[str]:
    name = column.name
    return [name, f"{name}_low", f"{name}_high", f"{name}_interval_reason"] if column.interval else [name]


def _plain_field(value: float | int | str | None) -> Any:
    """Number or text of one field: empty where the number is not finite."""
    if isinstance(value, str):
        return escape_formulas(printable(value, 1_000))
    return "" if isinstance(value, float) and not math.isfinite(value) else value


def _fields(column: Column, value: Value) -> list[Any]:
    plain = value.value if isinstance(value, Estimate | PlusMinus) else value.main if isinstance(value, Text) else value
    own = _plain_field(plain)
    if not column.interval:
        return [own]
    ends = (value.interval if isinstance(value, Estimate) else None) or ("", "")
    reason = value.reason if isinstance(value, Estimate) and not value.interval else ""
    return [own, *ends, escape_formulas(reason)]


def escape_formulas(text: str) -> str:
    """Text that a spreadsheet would run as a formula, made plain by a leading apostrophe.

    >>> escape_formulas("=HYPERLINK(1)"), escape_formulas("a=b")
    ("'=HYPERLINK(1)", 'a=b')
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_json(table: Table) -> list[dict[str, Any]]:
    """One document for each row; every estimate as `{value, interval, N, unit, reason}`."""
    columns, rows = table.shown_on("json")
    return [{column.name: _plain(value) for column, value in zip(columns, row, strict=True)} for row in rows]


def _plain(value: Value) -> Any:
    if isinstance(value, Estimate):
        return value.to_json()
    if isinstance(value, PlusMinus):
        value = value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.main if isinstance(value, Text) else value


def as_frame(table: Table) -> "pd.DataFrame":
    """The table as pandas sees it: numbers at full precision, NaN where there is none, ends beside their estimate."""
    import pandas as pd

    columns, rows = table.shown_on("csv")
    fields: dict[str, list[Any]] = {name: [] for column in columns for name in _names(column)}
    for row in rows:
        for column, value in zip(columns, row, strict=True):
            for name, field in zip(_names(column), _fields(column, value), strict=True):
                fields[name].append(math.nan if field == "" and not name.endswith("_reason") else field)
    return pd.DataFrame(fields)
