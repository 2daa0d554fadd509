"""What every reader promises of every file."""

from pathlib import Path

from zerosum.curves import read_curve
from zerosum.errors import InputError


def assert_read_or_refused(path: Path) -> None:
    """A curve whose losses are positive, or one line that says why not; nothing else may escape."""
    refused = ""
    try:
        assert (read_curve(path).loss > 0).all()
    except InputError as error:
        refused = str(error)
    assert "\n" not in refused
