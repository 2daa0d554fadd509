"""Refusals of the demo: a wrong call, a folder of others, a damaged marker, a full disk, a missing package."""

import os
import subprocess
import sys

import pytest
from tiny_demo import refused, run

pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "Invalid value for '--seeds'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--out", "/dev/null/demo"], "/dev/null/demo: cannot be written"),
        (["--out", "/dev/null"], "/dev/null: exists and was not made by the demo"),
    ],
)
def test_a_wrong_call_is_one_line(arguments, message):
    process = run(*arguments)
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith("zerosum: ")
    assert message in process.stderr
    assert process.stderr.count("\n") == 1


def test_a_foreign_folder_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert "was not made by the demo" in refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("content", ["{garbage", "[]", "null", '{"seed": 0}', "\x00"])
def test_a_marker_that_cannot_be_read_says_how_to_restore_it(tmp_path, content):
    marker = tmp_path / "demo.json"
    marker.write_text(content)
    message = refused(tmp_path, "--seed", 3)
    assert f"{marker}: cannot be read" in message
    assert '{"seed": 3, "quick": false}' in message
    assert marker.read_text() == content


def test_a_mistyped_number_of_seeds_is_refused_at_once(tmp_path):
    assert "MB needed" in refused(tmp_path / "out", "--seeds", 999_999_999)
    assert not (tmp_path / "out").exists()


def test_home_is_the_users(tmp_path):
    (tmp_path / "mine").write_text("thesis")
    assert f"{tmp_path}/mine: exists" in refused("~/mine", env=os.environ | {"HOME": str(tmp_path)})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be written (Permission denied)" in refused(tmp_path / "out")


PATCHED = (
    "import shutil, sys, zerosum.cli; {patch}; sys.argv = ['zerosum', 'demo', '--out', {out!r}]; zerosum.cli.main()"
)


def patched(patch, out):
    code = PATCHED.format(patch=patch, out=str(out))
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert process.returncode == 2, process.stderr
    assert process.stderr.count("\n") == 1
    return process.stderr


def test_too_little_disk(tmp_path):
    full = "shutil.disk_usage = lambda folder: shutil._ntuple_diskusage(10**9, 10**9 - 10**6, 10**6)"
    assert "1 MB free, about" in patched(full, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["torch", "accelerate"])
def test_a_missing_extra(tmp_path, package):
    hidden = (
        "verb = sys.modules['zerosum.cli.demo']; real = verb.find_spec; "
        f"verb.find_spec = lambda name: None if name == {package!r} else real(name)"
    )
    message = patched(hidden, tmp_path / "out")
    assert f"{package}: not installed" in message
    assert "pip install 'zerosum[lm]'" in message
    assert not (tmp_path / "out").exists()
