"""Locks: waited for, refused after patience, and never taken from a process of this machine that lives."""

import json
import os
import socket
import time
from threading import Timer

import pytest

from zerosum import sharing
from zerosum.sharing import _claims

LONG_AGO = 2 * _claims.STALE


def write_holder(path, *, age=0.0, **holder):
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), **holder}))
    os.utime(path, (time.time() - age,) * 2)


def test_a_lock_is_waited_for(tmp_path):
    claim = sharing.take(tmp_path / "a.lock", lock=True)
    Timer(0.2, claim.release).start()
    with sharing.locked(tmp_path / "a.lock", patience=30.0):
        assert sharing.take(tmp_path / "a.lock") is None
    assert not list(tmp_path.iterdir())


def test_a_held_lock_is_refused_after_patience(tmp_path):
    with (
        sharing.locked(tmp_path / "a.lock"),
        pytest.raises(sharing.Busy, match=f"process {os.getpid()} on "),
        sharing.locked(tmp_path / "a.lock", patience=0.1),
    ):
        pass


def test_a_stopped_process_loses_its_claims_but_no_lock(tmp_path):
    for name, lock in (("a.claim", False), ("a.lock", True)):
        write_holder(tmp_path / name, age=LONG_AGO, lock=lock)
    assert sharing.is_stale(tmp_path / "a.claim")
    assert not sharing.is_stale(tmp_path / "a.lock")


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no start times of processes here")  # noqa: PTH110
def test_a_later_process_with_the_same_number_is_another_one(tmp_path):
    write_holder(tmp_path / "a.lock", lock=True, started="1")
    assert sharing.is_stale(tmp_path / "a.lock")


def test_a_claim_of_another_machine_is_abandoned_when_it_is_not_renewed(tmp_path):
    for age, abandoned in ((0, False), (_claims.STALE - 10, False), (LONG_AGO, True)):
        write_holder(tmp_path / "a.lock", age=age, host="another", lock=True)
        assert sharing.is_stale(tmp_path / "a.lock") is abandoned


def test_a_lock_of_another_machine_is_refused_only_when_it_is_renewed(tmp_path, monkeypatch):
    monkeypatch.setattr(_claims, "STALE", 0.6)
    write_holder(tmp_path / "a.lock", host="another", pid=7, lock=True)
    with sharing.locked(tmp_path / "a.lock", patience=0.1):  # that process was killed
        pass
    write_holder(tmp_path / "a.lock", host="another", pid=7, lock=True)
    Timer(0.3, lambda: os.utime(tmp_path / "a.lock")).start()
    with pytest.raises(sharing.Busy, match="process 7 on another"), sharing.locked(tmp_path / "a.lock", patience=0.1):
        pass


def test_a_claim_that_was_taken_over_is_not_removed(tmp_path):
    claim = sharing.take(tmp_path / "a.claim")
    write_holder(tmp_path / "a.claim", host="another")
    claim.release()
    assert (tmp_path / "a.claim").exists()


def test_a_link_that_the_server_made_although_it_answers_that_it_exists(tmp_path, monkeypatch):
    def link_twice(source, target):  # as NFS does when the first answer is lost
        real(source, target)
        real(source, target)

    real = os.link
    monkeypatch.setattr(os, "link", link_twice)
    with sharing.take(tmp_path / "a.claim") as claim:
        assert claim is not None
        assert sharing.take(tmp_path / "a.claim") is None
