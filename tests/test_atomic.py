"""Files and folders appear only when complete, also when writing fails half-way."""

import threading
import time
from contextlib import suppress

import pytest

from zerosum.atomic import new_file, new_folder


def test_a_failed_write_leaves_the_older_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("older")

    def fail():
        with new_file(path) as part:
            part.write_text("half")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "older"


def test_a_new_folder_replaces_the_older_one(tmp_path):
    path = tmp_path / "store"
    for name in ("older", "newer"):
        with new_folder(path) as part:
            (part / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["newer"]
    assert not (tmp_path / "store.part").exists()


def test_a_failed_folder_is_removed_although_threads_still_write_to_it(tmp_path):
    def keep_writing(folder):
        for k in range(10):
            with suppress(OSError):  # the folder is removed at the same time
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"chunk-{k}").write_text("late")
            time.sleep(0.02)

    def fail():
        with new_folder(tmp_path / "store") as part:
            threading.Thread(target=keep_writing, args=(part,)).start()
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    time.sleep(0.3)
    assert not list(tmp_path.iterdir())
