"""The inputs of all verbs, and verbs called in this process."""

import contextlib
import io
import json
import shutil
import sys
from types import SimpleNamespace

import inputs
import pytest


@pytest.fixture(scope="session")
def all_inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    inputs.write_logs(folder)
    inputs.write_losses_of_sizes(folder)
    inputs.write_runs_of_sizes(folder)
    inputs.write_budgets_and_batches(folder)
    inputs.write_store(folder / "losses.zarr")
    inputs.write_texts(folder)
    inputs.write_source_code(folder / "code")
    return folder


@pytest.fixture(scope="session")
def all_runs(all_inputs):
    """The same folder with runs of tiny models in it."""
    inputs.write_run(all_inputs / "run")
    inputs.write_run(all_inputs / "tied", tied=True)
    with contextlib.chdir(all_inputs):
        inputs.train_run(all_inputs / "trained")
    rows = (all_inputs / "resumed.jsonl").read_text() + "".join(
        f"{json.dumps(row)}\n" for row in inputs.monitored_rows()
    )
    (all_inputs / "run" / "metrics.jsonl").write_text(rows)
    return all_inputs


@pytest.fixture
def printed_json(tmp_path, monkeypatch, blank_figures):
    """printed_json(inputs, commands) -> exit code and document of the last command, run in a copy of the inputs."""
    # Under the type checks of the tests this callback refuses typer's own context, which is of a private class.
    monkeypatch.setattr("zerosum.cli.app.registered_callback", None)
    monkeypatch.setattr("zerosum.sweep.local.train_here", inputs.train_branches)
    # The demo trains a tiny suite. No number of a document comes from a drawing.
    monkeypatch.setattr("zerosum.recipes.demo_suite", inputs.demo_suite("code"))

    def printed_json(folder, commands):
        shutil.copytree(folder, tmp_path / "work")
        monkeypatch.chdir(tmp_path / "work")
        for command in commands:
            done = _run(command, monkeypatch)
        text = done.out.replace(str(tmp_path.resolve() / "work"), "WORK").replace(str(tmp_path / "work"), "WORK")
        return done.code, json.loads(text)

    return printed_json


def _run(command, monkeypatch):
    from zerosum.cli import main

    monkeypatch.setattr(sys, "argv", ["zerosum", *command.split(), "--json"])
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in (None, 0, 2), said.getvalue()
    assert out.getvalue(), said.getvalue()
    return SimpleNamespace(code=left.value.code or 0, out=out.getvalue())
