"""Which column of a table is which quantity, and the numbers in it."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zerosum.curves.numerals import as_number, scaled
from zerosum.errors import InputError

Rows = Sequence[Mapping[str, Any]]

# Names in small letters, without blanks, points, hyphens and underscores.
WITH_EMBEDDINGS, WITHOUT_EMBEDDINGS, ACTIVE = "with embeddings", "without embeddings", "active"
NOT_STATED = "not stated"
SIZES = {
    WITH_EMBEDDINGS: ("ntotal", "nparamstotal", "totalparams", "nwithembed"),
    WITHOUT_EMBEDDINGS: ("nnoembed", "nnonembedding", "nparamsnoembed", "nonembeddingparams", "paramsnoembed"),
    ACTIVE: ("nactive", "activeparams", "nparamsactive"),
    NOT_STATED: ("n", "nparams", "params", "parameters", "numparams", "modelsize"),
}
NAMES = {
    "D": ("d", "tokens", "ntokens", "numtokens", "tokensseen", "trainingtokens", "traintokens", "totaltokens"),
    "C": ("c", "flops", "flop", "compute", "trainingflops", "totalflops"),
    "run": ("run", "runname", "name", "model"),
    "seed": ("seed",),
    "step": ("step", "steps"),
    "batch": ("batch", "batchtokens", "batchsize", "tokensperstep"),
    "lr": ("lr", "learningrate", "peaklr", "maxlr"),
    "loss_low": ("losslo95", "losslow", "losslower"),
    "loss_high": ("losshi95", "losshigh", "lossupper"),
    "unit": ("lossunit", "unit", "units"),
    "N_is": ("nis",),
}


def read_rows(given: Any) -> tuple[Rows, str]:
    """Rows of a CSV file, a data frame, a mapping of columns or a sequence of mappings; and what to call the table.

    Raises InputError where there are none.
    """
    if isinstance(given, str | Path):
        return _of_file(Path(given)), str(given)
    if hasattr(given, "to_dict"):
        rows: Rows = given.to_dict("records")
    elif isinstance(given, Mapping):
        columns = {name: list(values) for name, values in given.items()}
        if len({len(values) for values in columns.values()}) > 1:
            raise InputError("table: its columns have different lengths. Give each row a value in every column.")
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    else:
        rows = list(given)
    if not rows:
        raise InputError("table: it has no rows. Give one row for each loss, with columns N, D and loss.")
    return rows, "table"


def _of_file(path: Path) -> Rows:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(f"{path}: cannot be read ({cause}). Give a CSV file with columns N, D and loss.") from None
    try:
        separator = max(",;\t", key=text.partition("\n")[0].count)
        table = csv.DictReader(io.StringIO(text), strict=True, delimiter=separator)
        rows, names = list(table), table.fieldnames or ()
    except csv.Error as error:
        raise InputError(f"{path}: is no CSV table ({error}). Give columns N, D and loss, with commas.") from None
    if not rows:
        raise InputError(f"{path}: has no rows. Give one row for each loss, with columns N, D and loss.")
    for twice in (name for k, name in enumerate(names) if name in names[:k]):
        raise InputError(f"{path}: two columns are called {twice[:40]!r}. Give each column a name of its own.")
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise InputError(f"{path}: row {number} has more or fewer fields than the header. Mend that row.")
    return rows


def plain(name: str) -> str:
    """A column's name in small letters, letters and digits alone.

    >>> plain("N_params (no embed)")
    'nparamsnoembed'
    """
    return re.sub("[^a-z0-9]", "", name.lower())


def column_of(names: Iterable[str], quantity: str) -> str | None:
    """The column of a quantity by its usual names, of which `NAMES` has the preferred ones first; None without one."""
    by_plain = {plain(name): name for name in reversed(list(names))}
    return next((by_plain[name] for name in NAMES[quantity] if name in by_plain), None)


def size_columns(names: Iterable[str]) -> dict[str, str]:
    """What N counts -> the column that counts it."""
    by_plain = {plain(name): name for name in names}
    sizes = {meaning: [by_plain[name] for name in known if name in by_plain] for meaning, known in SIZES.items()}
    return {meaning: columns[0] for meaning, columns in sizes.items() if columns}


def choose_size(known: Mapping[str, str], embeddings: bool = True) -> tuple[str, str]:
    """The column of N and what it counts, of the `size_columns`, of which there is one or more.

    embeddings: whether N should count them. A column that does not state it counts what the column beside it does not.

    >>> choose_size({"not stated": "N", "without embeddings": "N_no_embed"})
    ('N', 'with embeddings')
    """
    wanted, other = (WITH_EMBEDDINGS, WITHOUT_EMBEDDINGS)[:: 1 if embeddings else -1]
    meaning = next(meaning for meaning in (wanted, NOT_STATED, other, ACTIVE) if meaning in known)
    return known[meaning], wanted if meaning == NOT_STATED and other in known else meaning


def amount(value: Any) -> float:
    """A count or a loss; "14M" and "1.2b" are counts too. NaN where it is no number.

    >>> amount("14M"), amount("1.2b"), amount("3,000"), amount("")
    (14000000.0, 1200000000.0, nan, nan)
    """
    if isinstance(value, str):
        text = value.strip()
        big = scaled(text[:-1] + text[-1].upper()) if text else None
        return as_number(text) if big is None else big
    return as_number(value)


def is_empty(value: Any) -> bool:
    """Whether a cell has nothing in it."""
    return value is None or (isinstance(value, str) and not value.strip())


def numbers(rows: Rows, column: str, source: str, *, may_lack: bool = False) -> list[float]:
    """The column, every number above 0. may_lack: empty cells are NaN.

    Raises InputError that names the first row with something else.
    """
    found = []
    for number, row in enumerate(rows, 1):
        cell = row.get(column)
        value = amount(cell)
        lacks = is_empty(cell) or (isinstance(cell, float) and math.isnan(cell))
        if not (may_lack and lacks) and not (math.isfinite(value) and value > 0):
            shown = "is empty" if is_empty(cell) else f"is {str(cell)[:40]!r}, no finite number above 0"
            raise InputError(f"{source}: row {number}: {column} {shown}. Mend the row, or remove it.")
        found.append(value)
    return found
