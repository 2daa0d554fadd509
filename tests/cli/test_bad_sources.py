"""The bad source among many, whichever verb reads it: a bug of ours, a name no file can have, a folder of runs."""

import shlex

import pytest
from called import call, logs, one_document, quick_analyses
from tiny import as_csv, rows

from zerosum import curves

__all__ = ["call", "logs", "quick_analyses"]


def test_a_bug_of_ours_loses_no_other_source_and_is_not_hidden(call, logs, monkeypatch, quick_analyses):
    def broken(source, **options):
        if source == str(logs[1]):
            raise KeyError("surprise")
        return read(source, **options)

    read = curves.read_curve
    monkeypatch.setattr(curves, "read_curve", broken)
    code, out, err = call("fit", *logs, "--json")
    document = one_document(out)
    assert code == 1
    assert [one["name"] for one in document["curves"]] == ["plain", "nanogpt"]
    assert [error.keys() for error in document["errors"]] == [{"source", "message"}]
    assert "Traceback" in err
    assert "a bug in zerosum (KeyError: 'surprise')" in err.splitlines()[-2]


@pytest.mark.parametrize("verb", ["fit", "curves"])
def test_a_name_too_long_is_a_line_like_any_other(call, logs, verb, quick_analyses):
    code, out, err = call(verb, "y" * 300, logs[0], "--json")
    assert code == 2
    assert [one["name"] for one in one_document(out)["curves"]] == ["plain"]
    assert "cannot be read (File name too long). Check the path" in err


def test_several_runs_in_a_folder_are_told_with_a_command_to_paste(call, tmp_path, quick_analyses):
    folder = tmp_path / "it's two runs"
    for name in ("version_0", "version_1"):
        (folder / name).mkdir(parents=True)
        (folder / name / "metrics.csv").write_text(as_csv(rows()))
    code, out, err = call("fit", folder)
    assert (code, out) == (2, "")
    command = shlex.split(err.strip().split("Name one of them: ")[1])
    assert command[:2] == ["zerosum", "fit"]
    assert call(*command[1:])[0] == 0
