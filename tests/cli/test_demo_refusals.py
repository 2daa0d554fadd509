"""Refusals of the demo: a wrong call, a folder of others, a damaged marker, a full disk, a missing package."""

import os
import shutil
import sys

import pytest
from tiny_demo import tiny_suite

pytest.importorskip("torch")


@pytest.fixture
def refused(call, monkeypatch):
    """refused(option, ...) -> the line on stderr of a demo that does not begin."""
    monkeypatch.setattr("zerosum.recipes.demo_suite", tiny_suite)

    def refused(*options):
        code, out, said = call("demo", *options)
        assert (code, out) == (2, ""), said
        assert said.count("\n") == 1
        return said

    return refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "Invalid value for '--seeds'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--out", "/dev/null/demo"], "/dev/null/demo: cannot be written"),
        (["--out", "/dev/null"], "/dev/null: exists and was not made by the demo"),
    ],
)
def test_a_wrong_call_is_one_line(refused, arguments, message):
    said = refused(*arguments)
    assert said.startswith("zerosum: ")
    assert message in said


def test_a_foreign_folder_is_not_touched(refused, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert "was not made by the demo" in refused("--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("content", ["{garbage", "[]", "null", '{"seed": 0}', "\x00"])
def test_a_marker_that_cannot_be_read_says_how_to_restore_it(refused, tmp_path, content):
    marker = tmp_path / "demo.json"
    marker.write_text(content)
    message = refused("--out", tmp_path, "--seed", 3)
    assert f"{marker}: cannot be read" in message
    assert '{"seed": 3, "quick": false}' in message
    assert marker.read_text() == content


def test_a_mistyped_number_of_seeds_is_refused_at_once(refused, tmp_path):
    assert "MB needed" in refused("--out", tmp_path / "out", "--seeds", 999_999_999)
    assert not (tmp_path / "out").exists()


def test_home_is_the_users(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").write_text("thesis")
    assert f"{tmp_path}/mine: exists" in refused("--out", "~/mine")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(refused, tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be written (Permission denied)" in refused("--out", tmp_path / "out")


def test_too_little_disk(refused, tmp_path, monkeypatch):
    full = shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    assert "1 MB free, about" in refused("--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["torch", "accelerate"])
def test_a_missing_extra(refused, tmp_path, monkeypatch, package):
    verb = sys.modules["zerosum.cli.demo"]
    find = verb.find_spec
    monkeypatch.setattr(verb, "find_spec", lambda name: None if name == package else find(name))
    message = refused("--out", tmp_path / "out")
    assert f"{package}: not installed" in message
    assert "pip install 'zerosum[lm]'" in message
    assert not (tmp_path / "out").exists()
