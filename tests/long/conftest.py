"""Tables of the long checks: `make check-long` writes one per file of checks into benchmarks/long.

A check adds one row before it asserts, so that a table shows what failed. Files are named check_*.py, which pytest
collects only where they are named on the command line.
"""

import math
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import version
from pathlib import Path

import pytest

from zerosum.atomic import write_text

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    *("", "/bench", "/checkpoints", "/curves", "/deceleration", "/golden", "/gradients"),
    *("/comparison", "/interference", "/monitor", "/scaling", "/tokens", "/training"),
)
sys.path.extend([*(f"{ROOT}/tests{room}" for room in ROOMS), f"{ROOT}/benchmarks"])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", type=float, default=1.0, help="Share of the cases to run; below 1 no table is written.")
    parser.addoption("--tables", type=Path, default=ROOT / "benchmarks" / "long", help="Folder of the tables.")


@dataclass
class Table:
    """Rows of one file of checks. title, text, seeds: of the page."""

    title: str
    text: str
    seeds: str
    rows: list[dict[str, str]] = field(default_factory=list)

    def add(self, **row: object) -> None:
        """A row; underscores in the names of columns become spaces."""
        self.rows.append({name.replace("_", " "): str(value) for name, value in row.items()})

    def markdown(self) -> str:
        """The page."""
        columns = list(self.rows[0])
        cells = [columns, ["---"] * len(columns), *([row.get(name, "") for name in columns] for row in self.rows)]
        lines = "\n".join(f"| {' | '.join(line)} |" for line in cells)
        made = f"Command: `make check-long`. Date: {date.today()}. Seeds: {self.seeds}."
        return f"# {self.title}\n\n{self.text}\n\n{made}\nMachine: {machine()}.\n\n{lines}\n"


def machine() -> str:
    """Processor, system and versions."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    processor = f"{names[0]}, {len(names)} cores" if names else platform.processor()
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "torch", "transformers"))
    return f"{processor}, {platform.system()}, Python {platform.python_version()}, {versions}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest, whole: bool) -> Iterator[Table]:
    """The table of a file of checks, whose docstring has the title in its first line and explains the columns below."""
    title, _, text = request.module.__doc__.partition("\n\n")
    checks = [item for item in request.session.items if item.path == request.path]
    table = Table(title.rstrip("."), text.strip(), request.module.SEEDS)
    yield table
    if whole and len(table.rows) >= len(checks):
        name = request.path.stem.removeprefix("check_")
        write_text(request.config.option.tables / f"{name}.md", table.markdown())


@pytest.fixture(scope="session")
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all cases of a file are run. Only then is its table written, and coverage compared with a goal."""
    options = request.config.option
    return options.share >= 1 and not options.keyword and not any("::" in name for name in request.config.args)


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """count(n): how many cases to run of n."""
    return lambda n: max(1, math.ceil(n * request.config.option.share))
