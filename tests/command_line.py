"""The command line, called in the process of the tests."""

import sys

import pytest

from zerosum.cli import app, main


def called_with(*arguments: object) -> int:
    """Exit code of `zerosum` with these arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "registered_callback", None)  # the type checks of tests refuse typer's own context
        patch.setattr(sys, "argv", ["zerosum", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    return int(end.value.code or 0)
