"""The house keeps its rules: no two files import each other, and what exists once stays single."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import zerosum

SRC = Path(zerosum.__file__).parent
FILES = {
    ".".join(file.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for file in sorted(SRC.rglob("*.py"))
}


def imported(module: str, file: Path) -> Iterator[str]:
    """Modules of ours that a file imports anywhere, for types too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in FILES:
                    yield inner
                elif node.module in FILES:
                    yield node.module


def circles() -> list[tuple[str, str]]:
    """Pairs of files that import each other; a package's `__init__` gathers what its files have, and is left out."""
    files = {module: file for module, file in FILES.items() if file.name != "__init__.py"}
    imports = {module: set(imported(module, file)) & files.keys() for module, file in files.items()}
    return sorted({tuple(sorted((a, b))) for a, its in imports.items() for b in its if a != b and a in imports[b]})


def test_no_two_files_import_each_other():
    assert circles() == []


@pytest.mark.parametrize("name", ["Estimate"])
def test_what_exists_once(name):
    homes = [
        module
        for module, file in FILES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.name == name
    ]
    assert len(homes) == 1, homes


def test_no_file_is_a_drawer():
    assert [module for module in FILES if module.rsplit(".", 1)[-1].strip("_") in ("utils", "helpers", "common")] == []
