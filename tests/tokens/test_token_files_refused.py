"""Folders of token files: data, tokenizers and folders that are refused in one line."""

import pytest
from token_folders import write_jsonl, write_texts, written

from zerosum import InputError
from zerosum.tokens.files import DataOptions, is_token_folder, write_token_files

pytest.importorskip("transformers")


@pytest.mark.parametrize(("domain", "message"), [("x" * 1_001, "has 1,001 characters"), ("\udc00", "half of a")])
def test_a_field_that_holds_no_domain(tmp_path, domain, message):
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "a", "kind": "b"}, {"text": "c", "kind": domain}])
    with pytest.raises(InputError, match=message):
        written(tmp_path / "out", file, domain="kind")


def test_too_many_domains(tmp_path, monkeypatch):
    from zerosum.tokens.files import _merge, _pieces

    file = write_jsonl(tmp_path / "a.jsonl", [{"text": f"{k}", "kind": k} for k in range(9)])
    monkeypatch.setattr(_pieces, "MOST_DOMAINS", 8)
    with pytest.raises(InputError, match=r"byte \d+: more than 8 domains"):
        written(tmp_path / "out", file, domain="kind")
    monkeypatch.setattr(_merge, "MOST_DOMAINS", 8)
    with pytest.raises(InputError, match="all documents: more than 8 domains"):
        written(tmp_path / "pieces", file, domain="kind", piece_bytes=30)


REFUSED = {
    "empty": ([], "no document has a token"),
    "a single document": ([{"text": "a"}, {"text": "a"}, {"text": ""}], r"a single document.*--held-out 0"),
    "no text": ([{"text": 5}], "'text' is int"),
    "half a character": ([{"text": "a\ud800"}], "half of a character"),
    "unknown ids": ([{"text": [1, 999]}], "token ids from 1 to 999"),
}


@pytest.mark.parametrize(("records", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(tmp_path, records, message):
    file = write_jsonl(tmp_path / "a.jsonl", records)
    with pytest.raises(InputError, match=message) as refused:
        written(tmp_path / "out", file)
    assert "\n" not in str(refused.value)
    assert not is_token_folder(tmp_path / "out")


def test_text_that_is_not_utf8(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"ab\xff")
    with pytest.raises(InputError, match=r"a.txt: not UTF-8 text \(byte 2\)"):
        written(tmp_path / "out", tmp_path / "a.txt")


def test_tokenizers_that_cannot_be_used(tmp_path):
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "abc"}, {"text": "d"}])
    for name, message in {
        "train:256": "give 257 ids",
        "train:many": "as in train:8192",
        str(tmp_path / "none"): "no tokenizer can be loaded",
    }.items():
        with pytest.raises(InputError, match=message):
            written(tmp_path / "out", file, tokenizer=name)
    ids = write_jsonl(tmp_path / "ids.jsonl", [{"text": [1, 2]}])
    with pytest.raises(InputError, match="there is no text to train a tokenizer on"):
        written(tmp_path / "out", ids, tokenizer="train:300")


def test_a_tokenizer_that_fails(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="?"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(tmp_path / "words")
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "a b"}, {"text": "a c"}, {"text": "b"}])
    with pytest.raises(InputError, match=r"a.jsonl:byte 16: the tokenizer fails on this text"):
        written(tmp_path / "out", file, tokenizer=str(tmp_path / "words"))


def test_a_folder_with_something_else(tmp_path):
    write_texts(tmp_path / "a", 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="exists and holds no token files"):
        written(tmp_path / "out", tmp_path / "a")
    with pytest.raises(InputError, match="--held-out 1: give a share"):
        write_token_files(tmp_path / "new", DataOptions(("x",), "bytes", held_out=1.0))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]
