"""Claims appear with their holder in them, and those of the dead can be taken at once."""

import multiprocessing
import os
import signal

import pytest

from zerosum import sharing


def die_at_link(path):
    os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    sharing.take(path)


def take_and_die(path):
    sharing.take(path)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_disk_without_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with sharing.take(tmp_path / "a.claim"):
        assert [one.name for one in tmp_path.iterdir()] == ["a.claim"]
        assert sharing.take(tmp_path / "a.claim") is None


def test_a_folder_that_is_not_there_is_not_waited_for(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        sharing.take(tmp_path / "gone" / "a.claim")

    def refuse(self, *_, **__):  # as /proc does, whose folders hold no files of ours
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(type(tmp_path), "write_text", refuse)
    with pytest.raises(FileNotFoundError):
        sharing.take(tmp_path / "a.claim")


@pytest.mark.parametrize("work", [die_at_link, take_and_die])
def test_what_a_killed_process_leaves_can_be_taken_at_once(tmp_path, work):
    path = tmp_path / "1-0.claim"
    process = multiprocessing.get_context("spawn").Process(target=work, args=(path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with sharing.take(path) as claim:
        assert claim is not None
        assert [one.name for one in tmp_path.iterdir()] == [path.name]
        assert sharing.take(path) is None
    assert not list(tmp_path.iterdir())
