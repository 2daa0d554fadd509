"""Folders of token files: what is written of which data, and the same bytes after kills and with several processes."""

import gzip
import hashlib
import json
import os

import numpy as np
import pytest
from token_folders import END, documents_of, kill_before, write_jsonl, write_texts, written

from zerosum import InputError
from zerosum.tokens.files import DataOptions, is_token_folder, open_token_files, read_token_files, write_token_files
from zerosum.tokens.files._pieces import PieceWriter

pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def unflushed(monkeypatch):
    """Nothing has to survive a power failure here."""
    monkeypatch.setattr("zerosum.atomic._flush", lambda file: None)


def texts_of(files):
    """The texts of the documents of each split, which the byte tokenizer has encoded."""
    return [
        [bytes(ids[:-1]).decode() for ids in documents_of(split) if ids[-1] == END]
        for split in (files.train, files.held_out)
    ]


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_every_document_is_in_one_split(tmp_path):
    texts = write_texts(tmp_path / "a", 60)
    files = written(tmp_path / "out", tmp_path / "a")
    train, held_out = texts_of(files)
    assert sorted(train + held_out) == sorted(texts)
    assert 8 <= len(held_out) <= 28
    index = files.index
    assert (index.train.documents, index.train.tokens) == (len(train), len(files.train.ids))
    assert (index.end_of_document, files.vocabulary, files.domains, index.dtype) == (END, 257, ("a",), "uint16")
    assert index.files["train.bin"] == hashlib.sha256((tmp_path / "out" / "train.bin").read_bytes()).hexdigest()
    assert {name.rpartition("/")[2] for name in index.files} == set(bytes_of(files.folder)) - {"index.json"}
    files.verify()
    assert not list((tmp_path / "out").glob("*.part"))


def test_the_split_depends_on_the_content_alone(tmp_path):
    texts = write_texts(tmp_path / "a", 40)
    write_jsonl(tmp_path / "b.jsonl", [{"text": text} for text in reversed(texts)])
    as_files, as_records = (written(tmp_path / f"out{k}", tmp_path / name) for k, name in enumerate(["a", "b.jsonl"]))
    assert [sorted(split) for split in texts_of(as_files)] == [sorted(split) for split in texts_of(as_records)]
    other_seed = written(tmp_path / "seed", tmp_path / "a", seed=1)
    assert sorted(texts_of(other_seed)[1]) != sorted(texts_of(as_files)[1])
    more = written(tmp_path / "more", tmp_path / "a", held_out=0.6)
    assert set(texts_of(as_files)[1]) < set(texts_of(more)[1])


def test_no_copy_is_in_the_files(tmp_path):
    texts = write_texts(tmp_path / "a", 20)
    write_texts(tmp_path / "b", 20)
    write_jsonl(tmp_path / "c.jsonl", [{"text": texts[k % 3]} for k in range(9)] + [{"text": ""}, {"text": "new"}])
    files = written(tmp_path / "out", tmp_path / "a", tmp_path / "b", tmp_path / "c.jsonl")
    train, held_out = texts_of(files)
    assert sorted(train + held_out) == sorted([*texts, "new"])
    assert (files.index.copies, files.index.empty) == (29, 1)


def test_domains_are_the_sources_or_a_field(tmp_path):
    write_texts(tmp_path / "a", 5)
    write_texts(tmp_path / "other" / "a", 5, seed=1)
    records = [{"text": f"text {k}", "kind": f"kind {k % 2}"} for k in range(6)]
    write_jsonl(tmp_path / "r.jsonl", records)
    files = written(tmp_path / "out", tmp_path / "a", tmp_path / "other" / "a", tmp_path / "r.jsonl", domain="kind")
    assert files.domains == (str(tmp_path / "a"), str(tmp_path / "other" / "a"), "kind 0", "kind 1")
    total = [
        train.documents + held.documents
        for train, held in zip(files.index.train.by_domain, files.index.held_out.by_domain, strict=True)
    ]
    assert total == [5, 5, 3, 3]
    domain_of = {
        tuple(ids): d
        for split in (files.train, files.held_out)
        for ids, d in zip(documents_of(split), split.domain.tolist(), strict=True)
    }
    assert [files.domains[domain_of[(*record["text"].encode(), END)]] for record in records] == ["kind 0", "kind 1"] * 3


ODD = ["", "\x00\x00a", "line\r\nline\r\n", " \n", "é漢🙂", "a<|end|>b", "<s>", "\ufeffb", "x" * 5_000]


def test_odd_texts_stay_as_they_are(tmp_path):
    """The byte tokenizer gives the bytes; `<|end|>` inside a text stays the token it is to the tokenizer."""
    write_jsonl(tmp_path / "odd.jsonl", [{"text": text} for text in ODD])
    files = written(tmp_path / "out", tmp_path / "odd.jsonl")
    documents = documents_of(files.train) + documents_of(files.held_out)
    expected = [[*text.encode(), END] for text in ODD if text and "<|end|>" not in text] + [[97, END, 98, END]]
    assert sorted(documents) == sorted(expected)
    assert files.index.empty == 1


def test_records_of_every_format_give_the_same_files(tmp_path):
    pd, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    texts = write_texts(tmp_path / "texts", 300)
    records = [{"text": text, "extra": 1} for text in texts]
    (tmp_path / "d").mkdir()
    write_jsonl(tmp_path / "d" / "a.jsonl", records)
    with gzip.open(tmp_path / "d" / "a.jsonl.gz", "wb") as file:
        file.write((tmp_path / "d" / "a.jsonl").read_bytes())
    pd.DataFrame(records).to_parquet(tmp_path / "d" / "a.parquet", row_group_size=40)
    dataset = datasets.Dataset.from_list(records)
    datasets.DatasetDict({"train": dataset, "validation": dataset.select([0])}).save_to_disk(
        str(tmp_path / "d" / "saved")
    )
    (tmp_path / "d" / "a.txt").write_text("<|endoftext|>".join(texts), newline="")
    made = [
        written(tmp_path / f"out{k}", source, piece_bytes=3_000)
        for k, source in enumerate(sorted((tmp_path / "d").iterdir()))
    ]
    assert len(made) == 5
    assert len({files.index.files["train.bin"] for files in made}) == 1
    assert len({files.index.files["held_out.bin"] for files in made}) == 1
    assert [documents_of(made[0].train), documents_of(made[0].held_out)] != [[], []]


@pytest.mark.parametrize("kind", ["stream.npy", "stream.bin", "matrix.npy"])
def test_token_arrays_are_split_into_their_documents(tmp_path, kind):
    rng = np.random.default_rng(0)
    documents = [[*rng.integers(0, 256, rng.integers(1, 30)).tolist(), END] for _ in range(60)]
    row = [token for ids in documents for token in ids]
    if kind == "matrix.npy":
        rows = [ids + [-100] * (31 - len(ids)) for ids in documents]
        np.save(tmp_path / kind, np.array(rows))
    elif kind == "stream.npy":
        np.save(tmp_path / kind, np.array(row, np.int32))
    else:
        (tmp_path / kind).write_bytes(np.array(row, "<u2").tobytes())
    results = set()
    for piece_bytes in (1 << 24, 700):
        files = written(tmp_path / f"out{piece_bytes}", tmp_path / kind, piece_bytes=piece_bytes)
        got = documents_of(files.train) + documents_of(files.held_out)
        assert sorted(got) == sorted(map(list, {tuple(ids) for ids in documents}))
        results.add(files.index.files["train.bin"])
    assert len(results) == 1


def test_a_text_may_hold_many_documents(tmp_path):
    rng = np.random.default_rng(0)
    separator = "<|endoftext|>"
    for case in range(4):
        texts = [f"{k}" + "é<|endof" * int(rng.integers(0, 9)) for k in range(rng.integers(3, 40))]
        (tmp_path / f"{case}.txt").write_text("\ufeff" * (case % 2) + separator.join(texts), encoding="utf-8")
        sums = set()
        for piece_bytes in (1 << 20, 61):
            files = written(tmp_path / f"out{case}-{piece_bytes}", tmp_path / f"{case}.txt", piece_bytes=piece_bytes)
            train, held_out = texts_of(files)
            assert sorted(train + held_out) == sorted(texts)
            sums.add((files.index.files["train.bin"], files.index.files["held_out.bin"]))
        assert len(sums) == 1


def test_a_long_text_gets_the_ids_of_the_whole_text(tmp_path, monkeypatch):
    from zerosum.tokens import load_tokenizer
    from zerosum.tokens.files import _blocks

    monkeypatch.setattr(_blocks.text_blocks, "__defaults__", (1_000,))
    monkeypatch.setattr(_blocks, "_SEARCHED", 300)
    rng = np.random.default_rng(0)
    words = ["the", "of", "déjà", "a1", "x.", "(y)", "\n\nnew", "漢字", "don't", "  two"]
    text = " ".join(words[k] for k in rng.integers(0, len(words), 4_000))
    (tmp_path / "long.txt").write_text(text, newline="")
    (tmp_path / "short.txt").write_text("short and different")
    files = written(tmp_path / "out", tmp_path / "long.txt", tmp_path / "short.txt", tokenizer="train:300")
    whole = load_tokenizer(files.tokenizer)(text, add_special_tokens=False)["input_ids"]
    assert [*whole, files.index.end_of_document] in documents_of(files.train) + documents_of(files.held_out)


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


def test_a_domain_inside_a_field(tmp_path):
    pd = pytest.importorskip("pandas")
    records = [
        {"text": f"text {k}", "meta": {"source": ["wiki", "code"][k % 2], "id": k}, "a.b": "c"} for k in range(8)
    ]
    file = write_jsonl(tmp_path / "a.jsonl", records)
    pd.DataFrame(records).to_parquet(tmp_path / "a.parquet")
    for source in (file, tmp_path / "a.parquet"):
        assert written(tmp_path / f"out-{source.name}", source, domain="meta.source").domains == ("wiki", "code")
    assert written(tmp_path / "dot", file, domain="a.b").domains == ("c",)
    with pytest.raises(InputError, match=r"no field 'kind'; its fields are 'source', 'id'. Name .*--domain"):
        written(tmp_path / "none", file, domain="meta.kind")


def test_many_ids_take_32_bits(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from zerosum.tokens.files._index import dtype_for

    words = Tokenizer(models.WordLevel({f"w{k}": k for k in range(70_000)}, unk_token="w0"))  # noqa: S106
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(tmp_path / "words")
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "w1 w69999"}, {"text": "w2 w65536 w3"}])
    files = written(tmp_path / "out", file, tokenizer=str(tmp_path / "words"))
    assert (files.index.dtype, files.vocabulary, files.index.end_of_document) == ("uint32", 70_000, None)
    assert sorted(documents_of(files.train) + documents_of(files.held_out)) == [[1, 69_999], [2, 65_536, 3]]
    with pytest.raises(InputError, match="32 bits are too few"):
        dtype_for(2**32 + 1)


def test_a_pattern_names_files(tmp_path):
    texts = write_texts(tmp_path / "a" / "b", 5)
    (tmp_path / "a" / "b" / "x.bin").write_bytes(b"odd")
    train, held_out = texts_of(written(tmp_path / "out", tmp_path / "a" / "**" / "*.txt"))
    assert sorted(train + held_out) == sorted(texts)
    with pytest.raises(InputError, match="no file matches this pattern"):
        written(tmp_path / "none", tmp_path / "*.txt")


def test_a_file_that_is_mended_is_read_again(tmp_path):
    records = write_jsonl(tmp_path / "a.jsonl", [{"text": f"text {k}"} for k in range(9)])
    broken = write_jsonl(tmp_path / "b.jsonl", [{"text": "x"}, {"txt": "y"}])
    with pytest.raises(InputError, match=r"b.jsonl:byte 14: no field 'text'; its fields are 'txt'"):
        written(tmp_path / "out", records, broken, piece_bytes=100)
    write_jsonl(broken, [{"text": "x"}, {"text": "y"}])
    train, held_out = texts_of(written(tmp_path / "out", records, broken, piece_bytes=100))
    assert len(train + held_out) == 11
    assert not (tmp_path / "out" / "pieces.part").exists()


def test_held_out_windows_come_from_held_out_documents(tmp_path):
    write_texts(tmp_path / "a", 40)
    write_texts(tmp_path / "b", 40, seed=1)
    files = written(tmp_path / "out", tmp_path / "a", tmp_path / "b")
    long = [ids for ids in documents_of(files.held_out) if len(ids) > 8]
    first = files.held_out_tokens(len(long), 8)
    assert sorted(first.document.tolist()) == list(range(len(long)))
    texts = [" ".join(map(str, ids)) for ids in long]
    assert all(any(" ".join(map(str, row)) in text for text in texts) for row in first.ids.tolist())
    for name, domain in zip(first.documents, first.domain_of, strict=True):
        assert files.domains[domain] in name.split("/")
    more = files.held_out_tokens(len(long) + 5, 8)
    np.testing.assert_array_equal(more.ids[: len(long)], first.ids)
    with pytest.raises(InputError, match="the held-out text has only"):
        files.held_out_tokens(10**6, 8)


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


def test_a_single_document_without_held_out_text(tmp_path):
    files = written(tmp_path / "out", write_jsonl(tmp_path / "a.jsonl", [{"text": "abc"}]), held_out=0)
    assert documents_of(files.train) == [[97, 98, 99, END]]
    assert len(files.held_out.ids) == 0
    assert not files.index.overlap.share.known
    with pytest.raises(InputError, match="the held-out text has only 0"):
        open_token_files(tmp_path / "out").held_out_tokens(1, 1)


def test_two_documents_are_one_of_each_split(tmp_path):
    for share in (1e-9, 1 - 1e-9):
        file = write_jsonl(tmp_path / "a.jsonl", [{"text": "abc"}, {"text": "def"}])
        files = written(tmp_path / f"out{share}", file, held_out=share)
        assert list(map(len, texts_of(files))) == [1, 1]


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


def test_a_tokenizer_of_any_kind_gives_its_own_ids(tmp_path):
    from test_read_tokens import with_bos

    tokenizer = with_bos.__wrapped__()
    tokenizer.save_pretrained(tmp_path / "t")
    file = write_jsonl(tmp_path / "a.jsonl", [{"text": "abc"}, {"text": "de"}])
    files = written(tmp_path / "out", file, tokenizer=str(tmp_path / "t"))
    assert sorted(documents_of(files.train) + documents_of(files.held_out)) == [
        [257, 97, 98, 99, END],
        [257, 100, 101, END],
    ]
    files = written(tmp_path / "no", file, tokenizer=str(tmp_path / "t"), bos="no")
    assert sorted(documents_of(files.train) + documents_of(files.held_out)) == [[97, 98, 99, END], [100, 101, END]]


def test_too_little_disk(tmp_path, monkeypatch):
    from zerosum.tokens.files import _merge

    write_texts(tmp_path / "a", 30)
    usage = _merge.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(_merge.shutil, "disk_usage", lambda path: usage._replace(free=100))
    with pytest.raises(InputError, match=r"GB more are needed.*it continues"):
        written(tmp_path / "out", tmp_path / "a", piece_bytes=500)
    monkeypatch.undo()
    assert len(written(tmp_path / "out", tmp_path / "a", piece_bytes=500).train.ids)


def test_a_folder_with_something_else(tmp_path):
    write_texts(tmp_path / "a", 3)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="exists and holds no token files"):
        written(tmp_path / "out", tmp_path / "a")
    with pytest.raises(InputError, match="--held-out 1: give a share"):
        write_token_files(tmp_path / "new", DataOptions(("x",), "bytes", held_out=1.0))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_sequences_for_verbs_are_held_out_windows_or_training_windows_once_each(tmp_path):
    text = tmp_path / "text.jsonl"
    rows = [{"text": chr(97 + k % 26) * (30 + k)} for k in range(60)]
    text.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_token_files(tmp_path / "tokens", DataOptions((str(text),), "bytes", 0.3))
    files = open_token_files(tmp_path / "tokens")
    held_out = read_token_files(tmp_path / "tokens", length=8, vocab_size=257)
    assert len(held_out.ids) == sum((n - 1) // 8 for n in np.diff(files.held_out.starts).tolist())
    train = read_token_files(tmp_path / "tokens", split="train", length=8)
    stream = files.train.ids.tolist()
    windows = {tuple(stream[8 * k : 8 * k + 9]) for k in range((len(stream) - 1) // 8)}
    assert {tuple(row) for row in train.ids.tolist()} == windows
    assert len(read_token_files(tmp_path / "tokens", split="train", length=8, most=5).ids) == 5
    with pytest.raises(InputError, match="token ids from"):
        read_token_files(tmp_path / "tokens", length=8, vocab_size=100)
    with pytest.raises(InputError, match="no document of more than 10000 tokens"):
        read_token_files(tmp_path / "tokens", length=10_000)
