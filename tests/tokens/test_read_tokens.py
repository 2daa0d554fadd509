"""Reading texts and token arrays: the bounds of windows, the recorded options, and the refused inputs."""

import gzip
import json

import numpy as np
import pytest

from zerosum import InputError
from zerosum.tokens import TokenizerFacts, load_tokenizer, read_tokens

pytest.importorskip("transformers")

END = 256


@pytest.fixture(scope="module")
def tokenizer():
    from zerosum.tokens import byte_tokenizer

    return byte_tokenizer()


@pytest.fixture(scope="module")
def with_bos():
    """A tokenizer that begins every text with `<s>` (257) and has the end-of-text token `<|end|>` (256)."""
    from tokenizers import processors

    from zerosum.tokens import byte_tokenizer

    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.bos_token_id)]
    )
    return tokenizer


@pytest.fixture
def files(tmp_path):
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "b.txt").write_text("de")
    return [tmp_path / "a.txt", tmp_path / "b.txt"]


def ids(text):
    return [*text.encode()]


def test_packed_texts_end_with_the_end_of_text_token(files, tokenizer):
    read = read_tokens(files, tokenizer=tokenizer, sequence_length=4)
    assert read.ids.tolist() == [[*ids("abc"), END, ids("d")[0]], [*ids("de"), END, -1, -1]]
    assert read.document.tolist() == [[0, 0, 0, 1], [1, 1, -1, -1]]
    assert read.documents == tuple(map(str, files))
    assert read.domains == ("a.txt", "b.txt")
    assert read.domain.tolist() == [[0, 0, 0, 1], [1, 1, -1, -1]]
    assert read.predicted.tolist() == [[True] * 4, [True, True, False, False]]
    assert read.options["end_of_text_token"] == END
    assert read.options["pack"] is True


def test_every_token_but_the_first_is_predicted_once(tmp_path, tokenizer):
    text = "".join(chr(97 + n % 26) for n in range(1_001))
    (tmp_path / "long.txt").write_text(text)
    for pack in (True, False):
        read = read_tokens(tmp_path / "long.txt", tokenizer=tokenizer, sequence_length=64, pack=pack)
        predicted = read.ids[:, 1:][read.predicted]
        np.testing.assert_array_equal(predicted[:1_000], ids(text)[1:])
        assert len(predicted) == 1_000 + pack  # packed, the end of the text is predicted as well
        np.testing.assert_array_equal(read.ids[1:, 0], read.ids[:-1, -1])


def test_one_document_to_a_sequence(files, tokenizer):
    read = read_tokens(files, tokenizer=tokenizer, sequence_length=8, pack=False)
    assert read.ids.tolist() == [ids("abc"), [*ids("de"), -1]]
    assert read.document.tolist() == [0, 1]
    assert read.options["end_of_text_token"] is None
    split = read_tokens(files, tokenizer=tokenizer, sequence_length=1, pack=False)
    assert split.ids.tolist() == [ids("ab"), ids("bc"), ids("de")]
    assert split.document.tolist() == [0, 0, 1]


@pytest.mark.parametrize(("bos", "first"), [("auto", 257), ("yes", 257), ("no", 97)])
def test_bos_is_added_as_the_tokenizer_does_unless_given(files, with_bos, bos, first):
    read = read_tokens(files, tokenizer=with_bos, sequence_length=16, pack=False, bos=bos)
    assert read.ids[0, 0] == first
    assert read.options["bos_token"] == (257 if first == 257 else None)


def test_no_bos_to_give(files, tokenizer):
    with pytest.raises(InputError, match="--bos yes: this tokenizer has no BOS token"):
        read_tokens(files, tokenizer=tokenizer, bos="yes")


def records(count=3):
    return [{"text": "x" * (number + 2), "kind": "odd" if number % 2 else "even"} for number in range(count)]


def as_jsonl(folder):
    (folder / "r.jsonl").write_text("\n".join(map(json.dumps, records())) + "\n\n")
    return folder / "r.jsonl"


def as_gzip(folder):
    with gzip.open(folder / "r.jsonl.gz", "wt") as file:
        file.write("\n".join(map(json.dumps, records())))
    return folder / "r.jsonl.gz"


def as_parquet(folder):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pd.DataFrame(records()).to_parquet(folder / "r.parquet")
    return folder / "r.parquet"


def as_saved(folder):
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_list(records())
    datasets.DatasetDict({"train": dataset.select([0]), "validation": dataset}).save_to_disk(str(folder / "saved"))
    return folder / "saved"


@pytest.mark.parametrize("write", [as_jsonl, as_gzip, as_parquet, as_saved])
def test_records_of_every_format_are_the_same_documents(tmp_path, tokenizer, write):
    read = read_tokens(write(tmp_path), tokenizer=tokenizer, sequence_length=8, pack=False, domain="kind")
    assert read.predicted.sum(axis=1).tolist() == [1, 2, 3]
    assert len(read.documents) == 3
    assert read.domains == ("even", "odd")
    assert read.domain.tolist() == [0, 1, 0]


def test_a_named_split_of_a_dataset(tmp_path, tokenizer):
    saved = as_saved(tmp_path)
    assert len(read_tokens(f"{saved}:train", tokenizer=tokenizer, pack=False).documents) == 1
    with pytest.raises(InputError, match=r"no split 'none'; there are train, validation"):
        read_tokens(f"{saved}:none", tokenizer=tokenizer)


def test_lists_of_ids_need_no_tokenizer(tmp_path):
    (tmp_path / "ids.jsonl").write_text('{"input_ids": [1, 2, 3]}\n{"input_ids": [4, 5]}')
    read = read_tokens(tmp_path / "ids.jsonl", field="input_ids", pack=False)
    assert read.ids.tolist() == [[1, 2, 3], [4, 5, -1]]


def test_no_tokens_are_added_to_a_matrix(tmp_path, tokenizer):
    rows = np.array([[1, END, 3], [4, 5, -100]])
    np.save(tmp_path / "m.npy", rows)
    for given in (tokenizer, None):
        read = read_tokens(tmp_path / "m.npy", tokenizer=given)
        assert read.ids.tolist() == [[1, END, 3], [4, 5, -1]]
        assert read.document.tolist() == [0, 1]
        assert read.options["sequence_length"] == 2


@pytest.mark.parametrize("kind", ["<u2", "<u4"])
@pytest.mark.parametrize("vocabulary", [2, 10, 16, 65, 257, 50_304, 150_000])
def test_the_width_of_ids_without_a_header(tmp_path, vocabulary, kind):
    if kind == "<u2" and vocabulary > 1 << 16:
        pytest.skip("ids need more than 16 bits")
    for seed, length in enumerate((40, 400, 4_000)):
        stream = np.random.default_rng(seed).integers(0, vocabulary, length)
        (tmp_path / f"{seed}.bin").write_bytes(stream.astype(kind).tobytes())
        read = read_tokens(tmp_path / f"{seed}.bin", sequence_length=length - 1)
        assert read.ids.tolist() == [stream.tolist()]


def test_an_empty_list_of_ids_is_a_document_too_short(tmp_path):
    (tmp_path / "ids.jsonl").write_text('{"ids": []}\n{"ids": [4, 5]}\n{"ids": [[]]}')
    with pytest.raises(InputError, match="jsonl:3: 'ids' is list, neither text nor a list of token ids"):
        read_tokens(tmp_path / "ids.jsonl", field="ids")
    (tmp_path / "ids.jsonl").write_text('{"ids": []}\n{"ids": [4, 5]}')
    read = read_tokens(tmp_path / "ids.jsonl", field="ids")
    assert (read.ids.tolist(), read.options["documents_too_short"]) == ([[4, 5]], 1)


@pytest.mark.parametrize("kind", ["npy", "uint16", "uint32", "llmc"])
def test_a_long_row_is_cut_into_windows(tmp_path, tokenizer, kind):
    stream = np.array([*ids("abc"), END, *ids("defg"), END, *ids("h")])
    if kind == "npy":
        np.save(tmp_path / "s.npy", stream)
    elif kind == "llmc":
        header = np.zeros(256, "<i4")
        header[:3] = 20240520, 1, len(stream)
        (tmp_path / "s.bin").write_bytes(header.tobytes() + stream.astype("<u2").tobytes())
    else:
        (tmp_path / "s.bin").write_bytes(stream.astype(kind).tobytes())
    path = tmp_path / ("s.npy" if kind == "npy" else "s.bin")
    read = read_tokens(path, sequence_length=3)
    assert read.ids.tolist() == [stream[:4].tolist(), stream[3:7].tolist(), stream[6:10].tolist()]
    assert read.document.tolist() == [0, 0, 0]
    split = read_tokens(path, sequence_length=3, tokenizer=tokenizer)
    assert split.ids.tolist() == read.ids.tolist()
    assert split.document.tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 2]]


@pytest.mark.parametrize("pack", [True, False])
def test_max_sequences(tmp_path, tokenizer, pack):
    (tmp_path / "long.txt").write_text("abcdefgh" * 20_000)
    few = read_tokens(tmp_path / "long.txt", tokenizer=tokenizer, sequence_length=16, pack=pack, max_sequences=3)
    everything = read_tokens(tmp_path / "long.txt", tokenizer=tokenizer, sequence_length=16, pack=pack)
    np.testing.assert_array_equal(few.ids, everything.ids[:3])
    assert len(everything.ids) == 10_000


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


REFUSED = {
    "empty text": ("e.txt", b"", "nothing to predict"),
    "no text": ("e.txt", b"\xff\xfe\x00", r"not UTF-8 text \(byte 0\)"),
    "truncated jsonl": ("e.jsonl", b'{"text": "ab"}\n{"te', "line 2 is not JSON"),
    "no such field": ("e.jsonl", b'{"body": "ab"}', "no field 'text'; its fields are 'body'"),
    "no objects": ("e.jsonl", b"[1]", "line 1 is not an object"),
    "a number": ("e.jsonl", b'{"text": 1}', "'text' is int, neither text nor a list of token ids"),
    "truncated gzip": ("e.jsonl.gz", gzip.compress(b'{"text": "ab"}')[:-9], "damaged or truncated"),
    "no parquet": ("e.parquet", b"PAR1", "not a complete Parquet file"),
    "odd bin": ("e.bin", b"abc", "3 bytes are not a whole number of 16-bit ids"),
    "empty bin": ("e.bin", b"", "empty"),
    "short llm.c": (
        "e.bin",
        np.array([20240520, 1, 99, *[0] * 253], "<i4").tobytes() + b"ab",
        "its header states 99 tokens, but the file has 1026 bytes",
    ),
    "no npy": ("e.npy", b"\x93NUMPY", "not a complete array"),
    "unknown ids": ("e.bin", np.array([1, 300, 2], "<u2").tobytes(), "token ids from 1 to 300, but .* 0 to 256"),
}


def test_a_folder_of_source_code_is_read_without_its_compiled_files(tmp_path, tokenizer):
    (tmp_path / "a.py").write_text("x = 1")
    (tmp_path / "long.py").write_bytes(b"a" * (2**16 - 1) + "é".encode())  # cut where the look at it ends
    for folder, name, content in (
        (".git", "HEAD", b"ref"),
        ("__pycache__", "a.pyc", b"\xe3\x00"),
        ("i", "i.png", b"\x89PNG"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(content)
    with pytest.warns(UserWarning, match="2 of 4 files are not UTF-8 text"):
        read = read_tokens(tmp_path, tokenizer=tokenizer, sequence_length=8, pack=False)
    assert read.documents == (str(tmp_path / "a.py"), str(tmp_path / "long.py"))
    with pytest.warns(UserWarning, match="2 of 4 files are not UTF-8 text"):
        matched = read_tokens(f"{tmp_path}/**/*.p*", tokenizer=tokenizer, sequence_length=8, pack=False)
    assert matched.documents == read.documents
    for source in (tmp_path / "i", f"{tmp_path}/i/*"):
        with pytest.raises(InputError, match="none of its 1 files is UTF-8 text"):
            read_tokens(source, tokenizer=tokenizer)


@pytest.mark.parametrize(("name", "content", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_in_one_line(tmp_path, tokenizer, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_tokens(tmp_path / name, tokenizer=tokenizer, vocab_size=257)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_pickle_is_not_loaded(tmp_path):
    np.save(tmp_path / "p.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a complete array of numbers .*never loaded"):
        read_tokens(tmp_path / "p.npy")


def test_padding_inside_a_row_is_refused(tmp_path):
    np.save(tmp_path / "hole.npy", np.array([[1, 2, -1, 3, -1]]))
    with pytest.raises(InputError, match=r"from -1 to 3.*Pad only at the end"):
        read_tokens(tmp_path / "hole.npy", vocab_size=9)


def test_text_without_a_tokenizer(files):
    with pytest.raises(InputError, match=r"a.txt: a text, and there is no tokenizer .*--tokenizer FOLDER"):
        read_tokens(files)


@pytest.mark.parametrize("name", ["nothing/there.txt", "gone.jsonl", "/no/such/file"])
def test_no_such_file(name):
    with pytest.raises(InputError, match=f"{name}: no such file"):
        read_tokens(name)


def test_an_unknown_dataset_offline(monkeypatch, tokenizer):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="no dataset of this name can be loaded"):
        read_tokens("nobody/has-this-data", tokenizer=tokenizer)


def test_the_tokenizer_in_a_folder(tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    facts = TokenizerFacts.of(loaded, tmp_path)
    assert facts == TokenizerFacts.of(load_tokenizer(tmp_path), tmp_path)
    assert (facts.n_tokens, facts.path) == (257, str(tmp_path))
    with pytest.raises(InputError, match=r"no tokenizer can be loaded from here .*--tokenizer FOLDER"):
        load_tokenizer(tmp_path / "nothing")
