"""Verbs called as the command line calls them, in this process, and logs for them to read."""

import json
import sys

import numpy as np
import pytest

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


def loss_at(step, bend=800.0, seed=0):
    """A one-break law with a little noise, the same at every call."""
    noise = np.random.default_rng([seed, step]).normal(0, 0.005)
    return float(30 * step**-0.25 * (1 + (step / bend) ** 5) ** 0.04 * (1 + noise))


def rows(last=6000, every=5, **options):
    return [(step, loss_at(step, **options)) for step in range(1, last, every)]


def as_csv(table, header="step,loss"):
    return "\n".join([header, *(",".join(map(str, row)) for row in table)])


def as_jsonl(table):
    return "\n".join(json.dumps({"step": step, "loss": loss, "lr": 1e-3}) for step, loss in table)


def as_nanogpt(table):
    return "\n".join(f"iter {step}: loss {loss:.4f}, time 250.00ms, mfu 30.00%" for step, loss in table)


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
