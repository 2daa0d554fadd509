"""`zerosum curves --out`: what is written where, and what is never written over."""

import numpy as np
import pytest
from called import HOSTILE_NAME, call, logs, one_document
from tiny import as_csv, rows

from zerosum.cli.curves import file_names
from zerosum.curves import read_curve

__all__ = ["call", "logs"]


def test_one_source_is_written_to_that_file(call, logs, tmp_path):
    target = tmp_path / "curve.csv"
    code, out, _ = call("curves", logs[1], "--out", target, "--json")
    assert code == 0
    assert one_document(out)["curves"][0]["out"] == str(target)
    assert target.read_text().startswith("step,loss,lr\n1,")
    before, after = read_curve(logs[1]), read_curve(target)
    for axis in ("step", "loss", "lr"):
        np.testing.assert_array_equal(getattr(after, axis), getattr(before, axis))


def test_one_source_goes_into_a_folder_that_is_there(call, logs, tmp_path):
    assert call("curves", logs[0], "--out", tmp_path)[0] == 0
    assert (tmp_path / "plain.csv").is_file()


def test_several_sources_make_a_folder(call, logs, tmp_path):
    target = tmp_path / "new" / "curves"
    code, out, _ = call("curves", *logs, "--out", target)
    assert code == 0
    assert sorted(path.name for path in target.iterdir()) == ["nanogpt.csv", "plain.csv", "resumed.csv"]
    assert out.count("written") == 3


@pytest.mark.parametrize("there", [False, True])
def test_several_sources_and_one_file_are_refused_before_reading(call, logs, tmp_path, there):
    target = tmp_path / "all.csv"
    if there:
        target.write_text("mine")
    code, out, err = call("curves", *logs, "--out", target)
    assert (code, out) == (2, "")
    assert err == f"zerosum: {target}: several sources cannot be written to one file. Give --out a folder.\n"
    assert not there or target.read_text() == "mine"


def test_sources_of_one_name_do_not_collide(call, tmp_path):
    for place in ("a", "b", "c"):
        (tmp_path / place).mkdir()
    (tmp_path / "a" / "run.csv").write_text(as_csv(rows(500)))
    (tmp_path / "b" / "RUN.csv").write_text(as_csv(rows(1000)))
    (tmp_path / "c" / "run.csv").write_text(as_csv(rows(1500)))
    sources = [tmp_path / "a" / "run.csv", tmp_path / "b" / "RUN.csv", tmp_path / "c" / "run.csv"]
    assert call("curves", *sources, "--out", tmp_path / "out")[0] == 0
    lengths = {path.name: len(read_curve(path)) for path in (tmp_path / "out").iterdir()}
    assert lengths == {"run.csv": 100, "RUN-2.csv": 200, "run-3.csv": 300}


def test_file_names_differ_whatever_the_names():
    names = ["a", "a", "a-2", "A", "../a", "", "...", "x" * 300, "x" * 300, "é/ü", "-rf", HOSTILE_NAME]
    safe = file_names(names)
    assert len({name.lower() for name in safe}) == len(names)
    assert all(name.isascii() and "/" not in name and name.strip("-.") and len(name) < 100 for name in safe)


def test_a_source_is_never_written_over(call, logs):
    before = logs[0].read_text()
    code, out, err = call("curves", *logs, "--out", logs[0].parent, "--json")
    document = one_document(out)
    assert code == 2
    assert [curve["name"] for curve in document["curves"]] == ["resumed", "nanogpt"]
    assert [error["source"] for error in document["errors"]] == [str(logs[0])]
    assert "is a source, and would be lost" in err
    assert logs[0].read_text() == before
    logs[0].with_name("link.csv").hardlink_to(logs[0])
    assert call("curves", logs[0], "--out", logs[0].with_name("link.csv"))[0] == 2


def test_the_log_of_a_folder_is_a_source_too(call, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.csv").write_text(as_csv(rows()))
    before = (run / "metrics.csv").read_text()
    code, _, err = call("curves", run, "--out", run / "metrics.csv")
    assert code == 2
    assert "is a source" in err
    assert (run / "metrics.csv").read_text() == before


def test_what_cannot_be_written_is_one_line(call, logs, tmp_path):
    for target in (tmp_path / "missing" / "a.csv", tmp_path / ("x" * 300)):
        code, out, err = call("curves", logs[0], "--out", target)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1
        assert "cannot be written" in err
    code, _, err = call("curves", *logs, "--out", logs[0] / "below")
    assert code == 2
    assert "cannot be made a folder" in err
