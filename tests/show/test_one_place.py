"""What is to exist once in the source: the row of fits. More of the kind belongs here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import zerosum

SOURCE = Path(zerosum.__file__).parent
ROW = {"verdict", "L_d", "t_d", "r_d"}
STAND_FOR = {"T_D": "t_d", "L_D": "L_d", "R_D": "r_d", "FORMS": "t_d", "VERDICTS": "verdict"}
OLD = {"show/logs/tables.py"}  # goes with the old page on one run


def functions_and_tables(file: Path) -> Iterator[tuple[str, set[str]]]:
    """(place, every name and text in it) of each function and of each constant of a file."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign):
            line = f"{file.relative_to(SOURCE).as_posix()}:{node.lineno}"
            yield line, {text for inner in ast.walk(node) for text in _texts(inner)}


def _texts(node: ast.AST) -> Iterator[str]:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    if name in STAND_FOR:
        yield STAND_FOR[name]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def test_the_row_of_fits_is_written_once() -> None:
    """Verdict, L_d, t_d and r_d stand together where a row of a table of fits is made: once among all that shows."""
    files = [file for room in ("show", "cli") for file in (SOURCE / room).rglob("*.py")]
    rows = [place for file in files for place, texts in functions_and_tables(file) if texts >= ROW]
    places = {place.partition(":")[0] for place in rows} - OLD
    assert places == {"show/sections/fits.py"}
