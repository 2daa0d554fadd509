"""W&B's server, played by an object with the parts of its API that are used."""

import importlib

import numpy as np
import pytest

from zerosum.curves import read_curve
from zerosum.curves.columns import Chooser
from zerosum.curves.wandb_online import is_online, read_online
from zerosum.errors import InputError, MissingExtra

ROWS = [{"_step": s, "train/loss": 4 - s / 1_000} for s in range(2_000)]
LR = [{"_step": s, "lr": 0.5} for s in range(0, 2_000, 5)]


class Run:
    """Like W&B's: a scan with keys returns only rows that have all of them; history() is sampled."""

    name = "wide-fox-3"

    def __init__(self, rows):
        self.rows, self.scans = rows, []
        self.history_keys = {"keys": {key: {} for row in rows for key in row if key != "_step"}, "lastStep": 9}

    def scan_history(self, keys=None, page_size=1_000):
        self.scans.append(keys)
        for row in self.rows:
            if keys is None:
                yield row
            elif all(key in row for key in keys):
                yield {key: row[key] for key in keys}

    def history(self, *args, **named):
        raise AssertionError("history() is sampled: it must not be called")


class Api:
    def __init__(self, run):
        self._run, self.asked = run, []

    def run(self, path):
        self.asked.append(path)
        if isinstance(self._run, Exception):
            raise self._run
        return self._run


@pytest.fixture
def server(monkeypatch):
    """Put this API where wandb's would be."""

    def serve(run):
        api = Api(run)
        monkeypatch.setattr("zerosum.curves.wandb_online._api", lambda: api)
        return api

    return serve


@pytest.mark.parametrize(
    "source",
    [
        "wandb:us/lm/ab12",
        "wandb://us/lm/ab12",
        "https://wandb.ai/us/lm/runs/ab12",
        "https://wandb.ai/us/lm/runs/ab12?x=1",
    ],
)
def test_every_row_and_a_learning_rate_logged_apart(server, source):
    api = server(Run(ROWS + LR))
    curve = read_curve(source)
    assert api.asked == ["us/lm/ab12"]
    assert (curve.name, curve.source, curve.format) == ("wide-fox-3", source, "wandb online")
    assert curve.columns == {"step": "_step", "loss": "train/loss", "lr": "lr"}
    np.testing.assert_array_equal(curve.loss, [row["train/loss"] for row in ROWS])
    np.testing.assert_array_equal(curve.lr, 0.5)
    assert api._run.scans == [["_step", "train/loss"], ["_step", "lr"]]


def test_older_servers_without_names_or_scan_history(server):
    run = Run([{"_step": 0, "nested": {"nll": 3.0}}, {"_step": 1, "nested": {"nll": 2.0}}])
    run.history_keys = None
    run.beta_scan_history, run.scan_history = run.scan_history, None
    server(run)
    np.testing.assert_array_equal(read_curve("wandb:us/lm/ab12", loss="nested.nll").loss, [3, 2])


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (RuntimeError("Could not find run\n<Response 404>"), r"could not be read \(Could not find run\)"),
        (KeyError("project"), "could not be read"),
        (Run([]), "no history"),
        (Run([{"_step": 1, "val/loss": 2.0}]), "no column is known as the loss; there are '_step', 'val/loss'"),
        (Run([{"_step": 1, "loss": None}]), "no row has a step and a positive"),
    ],
)
def test_runs_that_cannot_be_read(server, run, message):
    server(run)
    with pytest.raises(InputError, match=message) as error:
        read_curve("wandb:us/lm/ab12")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("source", ["wandb:ab12", "wandb:us/lm", "https://example.org/a.csv", "wandb://a/b/../c"])
def test_addresses_that_are_no_run(source):
    with pytest.raises(InputError, match=r"not a W&B run\. Write wandb:entity/project/run_id"):
        read_curve(source)


def test_files_are_not_taken_for_addresses():
    assert not any(map(is_online, ["wandb/run-1", "run.wandb", "http.csv"]))


def test_missing_wandb_is_one_line_with_the_remedy(monkeypatch):
    def without(name, *args):
        if name == "wandb":
            raise ImportError(name)
        return imported(name, *args)

    imported = importlib.import_module
    monkeypatch.setattr("zerosum.curves.wandb_online.import_module", without)
    with pytest.raises(MissingExtra, match=r"pip install 'zerosum\[wandb\]'"):
        read_online("wandb:us/lm/ab12", Chooser("x", {}))
