"""Verbs called as the command line calls them, in this process, and logs for them to read."""

import json
import sys

import pytest
from tiny import as_csv, as_jsonl, as_nanogpt, rows

from zerosum import deceleration
from zerosum.cli import app, main

BROKEN = "epoch,accuracy\n1,0.5\n"
HOSTILE_NAME = "[bold red]x[bold] \x1b[2J\x9b31m\u202e\n..name"


@pytest.fixture
def call(capsys, monkeypatch):
    """call(verb, ...) -> exit code, stdout, stderr."""
    # Under the type checks of the tests this one refuses typer's own context, which is of a private class.
    monkeypatch.setattr(app, "registered_callback", None)

    def call(*arguments, columns=120):
        monkeypatch.setattr(sys, "argv", ["zerosum", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", str(columns))
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def quick_analyses(monkeypatch):
    """Fits without other laws and forecasts, which take seconds for each curve here, for tests of something else."""

    def quick(curve, *, horizons, **options):
        return deceleration.Analysis(deceleration.fit(curve, **options), (), ())

    monkeypatch.setattr(deceleration, "analyse", quick)


def one_document(text):
    """Exactly one JSON document of plain ASCII, without NaN or infinities."""

    def refuse(word):
        raise AssertionError(word)

    assert text.isascii()
    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def logs(tmp_path):
    """Three good logs of different formats, one of them of a resumed run."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "plain.csv").write_text(as_csv(rows()))
    (folder / "resumed.jsonl").write_text(as_jsonl([*rows(1000), *rows(3000)[100:]]))
    (folder / "nanogpt.log").write_text(as_nanogpt(rows()))
    return [folder / name for name in ("plain.csv", "resumed.jsonl", "nanogpt.log")]
