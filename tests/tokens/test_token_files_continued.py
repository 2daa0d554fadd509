"""Folders of token files: the same bytes after kills, with several processes, and where work is continued."""

import os

import numpy as np
import pytest
from token_folders import bytes_of, kill_before, texts_of, write_jsonl, write_texts, written

from zerosum import InputError
from zerosum.tokens.files import is_token_folder
from zerosum.tokens.files._pieces import PieceWriter

pytest.importorskip("transformers")


def test_interruptions_and_processes_leave_the_same_bytes(tmp_path, monkeypatch):
    texts = write_texts(tmp_path / "a", 90)
    write_jsonl(tmp_path / "b.jsonl", [{"text": text, "kind": len(text) % 3} for text in [*texts[:20], *"abcdef"]])
    data = (tmp_path / "a", tmp_path / "b.jsonl")
    options = {"domain": "kind", "tokenizer": "train:280", "piece_bytes": 1_500}
    expected = bytes_of(written(tmp_path / "once", *data, **options).folder)
    add = PieceWriter.add
    n_added = 0

    class Killed(BaseException):
        pass

    def killed(self, *arguments):
        nonlocal n_added
        n_added += 1
        if n_added % 31 == 0:
            raise Killed
        add(self, *arguments)

    monkeypatch.setattr(PieceWriter, "add", killed)
    for _ in range(100):
        try:
            files = written(tmp_path / "again", *data, **options)
        except Killed:
            assert not is_token_folder(tmp_path / "again")
        else:
            break
    assert bytes_of(files.folder) == expected
    assert 116 <= n_added < 300  # finished pieces are not done again
    monkeypatch.undo()
    assert bytes_of(written(tmp_path / "two", *data, jobs=2, **options).folder) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_before_any_file_operation(tmp_path):
    write_texts(tmp_path / "a", 20)

    def work(folder):
        return lambda: written(folder, tmp_path / "a", piece_bytes=900)

    whole = tmp_path / "whole"
    operations = kill_before(10**6, whole, work(whole))
    expected = bytes_of(whole)
    for operation in np.random.default_rng(0).choice(operations, 7, replace=False).tolist():
        folder = tmp_path / f"killed{operation}"
        assert kill_before(1 + operation, folder, work(folder)) is None
        assert bytes_of(work(folder)().folder) == expected


def test_a_finished_folder_is_opened(tmp_path, monkeypatch):
    write_texts(tmp_path / "a", 9)
    files = written(tmp_path / "out", tmp_path / "a")
    monkeypatch.setattr(PieceWriter, "add", None)
    assert written(tmp_path / "out", tmp_path / "a").sha256 == files.sha256
    with pytest.raises(InputError, match=r"holds token files of other options \(seed 0, not 3\)"):
        written(tmp_path / "out", tmp_path / "a", seed=3)


def test_other_options_of_unfinished_work(tmp_path):
    single = write_jsonl(tmp_path / "a.jsonl", [{"text": "abc"}])
    with pytest.raises(InputError, match="no field 'txt'"):
        written(tmp_path / "out", single, field="txt")
    with pytest.raises(InputError, match="a single document"):  # no piece was finished: other options may be tried
        written(tmp_path / "out", single)
    with pytest.raises(InputError, match=r"unfinished token files of other options \(bos \"auto\", not \"no\"\)"):
        written(tmp_path / "out", single, bos="no")
    assert written(tmp_path / "out", single, held_out=0).index.train.documents == 1  # pieces do not depend on the split


def test_a_file_that_is_mended_is_read_again(tmp_path):
    records = write_jsonl(tmp_path / "a.jsonl", [{"text": f"text {k}"} for k in range(9)])
    broken = write_jsonl(tmp_path / "b.jsonl", [{"text": "x"}, {"txt": "y"}])
    with pytest.raises(InputError, match=r"b.jsonl:byte 14: no field 'text'; its fields are 'txt'"):
        written(tmp_path / "out", records, broken, piece_bytes=100)
    write_jsonl(broken, [{"text": "x"}, {"text": "y"}])
    train, held_out = texts_of(written(tmp_path / "out", records, broken, piece_bytes=100))
    assert len(train + held_out) == 11
    assert not (tmp_path / "out" / "pieces.part").exists()


def test_too_little_disk(tmp_path, monkeypatch):
    from zerosum.tokens.files import _merge

    write_texts(tmp_path / "a", 30)
    usage = _merge.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(_merge.shutil, "disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(InputError, match=r"GB more are needed.*it continues"):
        written(tmp_path / "out", tmp_path / "a", piece_bytes=500)
    monkeypatch.undo()
    assert len(written(tmp_path / "out", tmp_path / "a", piece_bytes=500).train.ids)
