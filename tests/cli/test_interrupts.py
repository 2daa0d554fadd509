"""Ctrl-C where Python ignores errors."""

import subprocess
import sys

import pytest

SCRIPT = """
import time
import zerosum.cli as cli

class Freed:
    def __del__(self):
        raise {error}

def work(standalone_mode):
    Freed()
    for _ in range({tenths}):
        time.sleep(0.1)

cli.app = work
cli.main()
"""


@pytest.mark.parametrize(
    ("error", "tenths", "code", "words"),
    [
        ("KeyboardInterrupt", 200, 130, "zerosum: stopped. Start the same command again: it continues."),
        ("ValueError(17)", 1, 0, "ValueError: 17"),
    ],
)
def test_an_interrupt_during_a_destructor_is_not_lost(error: str, tenths: int, code: int, words: str) -> None:
    script = SCRIPT.format(error=error, tenths=tenths)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert found.returncode == code
    assert found.stderr.splitlines()[-1] == words
