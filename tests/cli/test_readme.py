"""What the README says about loss logs can be pasted and works."""

import re
import shlex
from pathlib import Path

import pytest
from called import call, quick_analyses
from tiny import as_csv, as_jsonl, loss_at, rows

from zerosum.show import folder

__all__ = ["call", "quick_analyses"]

README = Path(__file__).parents[2] / "README.md"
VERBS = ("fit", "compare", "curves")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands():
    lines = [shlex.split(line, comments=True) for block in blocks("bash") for line in block.splitlines()]
    return [line[1:] for line in lines if line[:1] == ["zerosum"] and line[1] in VERBS]


def sources_of(command):
    options = [place for place, word in enumerate(command) if word.startswith("--")]
    return command[1 : min(options, default=len(command))]


def make_log(path):
    """A log of 900 steps; without a suffix, a run's folder."""
    if not path.suffix:
        path, text = path / "metrics.jsonl", as_jsonl(rows(900))
    else:
        table = [(step, 1024 * step, loss_at(step, seed=len(path.stem))) for step in range(1, 900, 5)]
        text = as_csv(table, "step,tokens,loss")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_every_verb_is_in_the_readme():
    assert {command[0] for command in commands()} == set(VERBS)


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_of_the_readme_runs(call, command, tmp_path, monkeypatch, quick_analyses):
    monkeypatch.chdir(tmp_path)
    # Drawing takes longer than all the rest; test_out.py writes a whole report.
    monkeypatch.setattr(folder, "write", lambda report, out, documents, page: out)
    for source in sources_of(command):
        make_log(Path(source))
    code, out, err = call(*command)
    assert (code, err) == (0, "")
    assert out
    if "--out" in command:
        assert Path(command[command.index("--out") + 1]).exists()


@pytest.mark.parametrize("code", [block for block in blocks("python") if "read_curve" in block])
def test_python_of_the_readme_runs(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_log(Path("metrics.csv"))
    exec(compile(code, README.name, "exec"), {})  # noqa: S102
    shown = capsys.readouterr().out.split()
    assert {"decelerates", "no-break", "accelerates", "cannot-tell"} & set(shown)
    assert "log-log" in shown
