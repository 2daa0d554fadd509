"""`zerosum data`: the answer, the JSON, what is refused, and the same command again."""

import json
import re
from pathlib import Path

import pytest
from called import one_document

from zerosum.tokens.files import open_token_files
from zerosum.tokens.files._pieces import PieceWriter

pytest.importorskip("transformers")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    license_text = "Permission is hereby granted, free of charge, to any person. " * 3
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"document {number}: {license_text}")
    (folder / "copy.txt").write_text((folder / "3.txt").read_text())
    (folder / "empty.txt").touch()
    return folder


def test_the_answer(call, texts, tmp_path):
    command = ("data", texts, "--tokenizer", "bytes", "--out", tmp_path / "out", "--held-out", 0.2)
    code, out, err = call(*command, columns=200)
    assert code == 0
    index = open_token_files(tmp_path / "out").index
    assert f"out: {index.train.tokens:,} tokens of {index.train.documents} documents to train on" in out
    assert re.search(r"Overlap: [\d.]+ % of \d+ held-out windows of 32 tokens occur word for word in the training", out)
    assert index.overlap.in_training > 10
    assert "Left out: 1 document without a token, 1 exact copy of other documents." in out
    assert "Tokenizer: bytes; 257 ids, stored as uint16." in out
    assert "tokenizing: done" in err
    assert len(out.splitlines()) <= 24


def test_the_document(call, texts, tmp_path):
    other = tmp_path / "b.jsonl"
    other.write_text('{"text": "one"}\n{"text": "two"}\n')
    command = ("data", texts, other, "--tokenizer", "train:300", "--out", tmp_path / "out", "--held-out", 0.2, "--json")
    code, out, _ = call(*command)
    assert code == 0
    document = one_document(out)
    files = open_token_files(tmp_path / "out")
    assert document["sha256"] == files.sha256
    assert document["held_out"] == {"tokens": len(files.held_out.ids), "documents": len(files.held_out.domain)}
    assert [domain["name"] for domain in document["domains"]] == ["texts", "b.jsonl"]
    assert 0 <= document["overlap"]["share"]["value"] <= 1
    assert call(*command)[:2] == (0, out)  # again: what is there
    section = (ROOT / "docs" / "data.md").read_text("utf-8")
    assert {key for key in keys(document) if f"`{key}`" not in section} == set()


def keys(document):
    if isinstance(document, dict):
        yield from document
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from keys(value)


def refused(call, *arguments):
    code, out, err = call("data", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_what_is_refused(call, texts, tmp_path):
    given = ("--tokenizer", "bytes", "--out", tmp_path / "out")
    assert "no such file" in refused(call, tmp_path / "none.txt", *given)
    (tmp_path / "nothing").mkdir()
    assert "an empty folder" in refused(call, tmp_path / "nothing", *given)
    assert "--held-out 2: give a share" in refused(call, texts, *given, "--held-out", "2")
    assert "--tokenizer" in refused(call, texts, "--out", tmp_path / "out")
    assert "cannot be written" in refused(call, texts, "--tokenizer", "bytes", "--out", "/proc/none")
    assert call("data", texts, *given)[0] == 0
    assert "holds token files of other options (seed 0, not 1)" in refused(call, texts, *given, "--seed", "1")
    whole = (tmp_path / "out" / "train.bin").read_bytes()
    (tmp_path / "out" / "train.bin").write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert "train.bin: changed since it was written" in refused(call, texts, *given)


def test_files_that_are_no_text_are_said_in_one_line(call, texts, tmp_path):
    (texts / "compiled.pyc").write_bytes(b"\xe3\x00\xff")
    code, _, err = call("data", f"{texts}/*", "--tokenizer", "bytes", "--out", tmp_path / "out")
    assert code == 0
    assert f"zerosum: {texts}/*: 1 of 33 files are not UTF-8 text, and are left out" in err.splitlines()
    assert "UserWarning" not in err


def test_a_full_disk_loses_nothing(call, texts, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    command = ("data", texts, "--tokenizer", "bytes", "--out", tmp_path / "out")
    with monkeypatch.context() as patched:
        patched.setattr(PieceWriter, "add", full)
        assert "out: cannot be written (No space left on device)" in refused(call, *command[1:])
    assert call(*command)[0] == 0


def test_source_files_of_the_standard_library(call, tmp_path):
    """Source files of several encodings and ends of lines, read as a newcomer would."""
    stdlib = Path(json.__file__).parent
    code, out, _ = call("data", *stdlib.glob("*.py"), "--tokenizer", "bytes", "--out", tmp_path / "out", "--json")
    assert code == 0
    document = one_document(out)
    size = sum(path.stat().st_size + 1 for path in stdlib.glob("*.py"))
    assert document["train"]["tokens"] + document["held_out"]["tokens"] == size
