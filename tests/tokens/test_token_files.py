"""Folders of token files: what is written of which data, and what is read of them."""

import gzip
import hashlib
import json

import numpy as np
import pytest
from token_folders import END, bytes_of, documents_of, texts_of, write_jsonl, write_texts, written

from zerosum import InputError
from zerosum.tokens.files import DataOptions, open_token_files, read_token_files, write_token_files

pytest.importorskip("transformers")


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
