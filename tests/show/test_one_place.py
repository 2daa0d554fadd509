"""What is to exist once in the source: the row of fits, the measurer of a store. More of the kind belongs here."""

import ast
from collections.abc import Iterator
from pathlib import Path

import zerosum

SOURCE = Path(zerosum.__file__).parent
ROW = {"verdict", "L_d", "t_d", "r_d"}
STAND_FOR = {"T_D": "t_d", "L_D": "L_d", "R_D": "r_d", "FORMS": "t_d", "VERDICTS": "verdict"}


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
    """Verdict, L_d, t_d and r_d stand together where a row is made: once of a fit, once of a size (its runs)."""
    files = [file for room in ("show", "cli") for file in (SOURCE / room).rglob("*.py")]
    rows = [place for file in files for place, texts in functions_and_tables(file) if texts >= ROW]
    places = {place.partition(":")[0] for place in rows}
    assert places == {"show/sections/fits.py", "show/sections/_scaling_deceleration_tables.py"}


def test_the_measurer_of_a_store_exists_once() -> None:
    """Only `measure_store` measures pairs of checkpoints, and no room above takes changes of tokens by itself."""
    calls = {"measure_pair": set[str](), "change_between": set[str](), "summarize": set[str]()}
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in calls:
                calls[node.func.id].add(file.relative_to(SOURCE).as_posix())
    assert calls["measure_pair"] == {"interference/labelled/_store.py"}
    for function in ("change_between", "summarize"):
        assert not [place for place in calls[function] if place.startswith(("show/", "cli/", "runs/"))], function
