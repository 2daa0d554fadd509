"""A copy of the source into which a test drops files, and its command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zerosum

TOYS = Path(__file__).parent / "toys"
collect_ignore = ["toys"]  # their imports are true in the copy alone
CALLS = """
import contextlib, io, json, sys
from zerosum.cli import main

for arguments in json.loads(sys.argv[1]):
    sys.argv, out = ["zerosum", *arguments], io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as left:
            assert not left.code, (arguments, left.code)
    print(json.dumps(out.getvalue()))
"""


class House:
    """A copy of `src`. Files dropped into it are all that a feature costs."""

    def __init__(self, folder: Path):
        self.src = folder / "src"
        self.folder = folder
        package = Path(zerosum.__file__).parent
        shutil.copytree(package, self.src / "zerosum")  # with its compiled files, which hold for the copies too

    def add(self, toy: str, place: str) -> None:
        """Put a file of `toys/` at a place in the package; a new one, never a change of one that is there."""
        target = self.src / "zerosum" / place
        assert not target.exists(), f"{place} is there already: adding means a new file"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOYS / toy, target)

    def run(self, *arguments: object, code: int = 0) -> str:
        """Call the command line of the copy; return what it printed on stdout."""
        return self.python("-m", "zerosum", *arguments, code=code)

    def run_all(self, *calls: tuple[object, ...], program: str = "", values: tuple[object, ...] = ()) -> list[str]:
        """Several calls of the command line in one process, which loads torch once; what each printed on stdout.

        program: runs before them, with `values` in sys.argv[2:], and prints nothing.
        """
        lists = json.dumps([[str(argument) for argument in call] for call in calls])
        return [json.loads(line) for line in self.python("-c", program + CALLS, lists, *values).splitlines()]

    def python(self, *arguments: object, code: int = 0) -> str:
        """Run Python on the copy; return what it printed on stdout."""
        environment = os.environ | {"PYTHONPATH": str(self.src), "COLUMNS": "100", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)
