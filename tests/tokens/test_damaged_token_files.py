"""Damaged, short and foreign folders of token files: one line says so, and no file outside the folder is read."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flips import flipped
from token_folders import write_texts, written

from zerosum import InputError
from zerosum.tokens.files import TokenFiles, is_token_folder, open_token_files

pytest.importorskip("transformers")

VALUES: list[Any] = [None, True, -1, 0, 1 << 40, 1 << 70, 1.5, "../../x\x1b[2J", [], {"a": 1}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("files")
    write_texts(place / "a", 8)
    return written(place / "out", place / "a").folder


def opened_or_refused(folder: Path) -> TokenFiles | str:
    """The folder with every file checked, or the one line that refuses it."""
    try:
        files = open_token_files(folder)
        files.held_out_tokens(1, 1)
        files.verify()
    except InputError as error:
        refused = str(error)
    else:
        return files
    assert "\n" not in refused
    assert str(folder) in refused
    return refused


def test_every_flipped_bit_is_found(folder):
    for file in flipped(folder, 150):
        refused = opened_or_refused(folder)
        if file.name == "index.json":  # its texts, the name of a domain say, may be any
            assert isinstance(refused, str | TokenFiles)
        else:
            assert file.name in refused
    assert isinstance(opened_or_refused(folder), TokenFiles)


def test_every_short_or_missing_file_is_found(folder):
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        for shorter in (content[:-2], content[: len(content) // 2], b"", None):
            file.unlink()
            if shorter is not None:
                file.write_bytes(shorter)
            refused = opened_or_refused(folder)
            file.write_bytes(content)
            assert file.name in refused or "starts" in refused


def values_in(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value of a JSON document."""
    if path:
        yield path
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        yield from values_in(value, (*path, key))


def test_any_index_is_read_or_refused(folder):
    index = folder / "index.json"
    whole = index.read_text()
    document = json.loads(whole)
    n_refused = 0
    for path in values_in(document):
        for value in VALUES:
            changed = copy.deepcopy(document)
            holder = changed
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = value
            index.write_text(json.dumps(changed))
            n_refused += isinstance(opened_or_refused(folder), str)
    index.write_text(whole)
    assert n_refused > 200


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 100_000, "\ud800", '{"format": "zerosum-tokens"}', "NaN"]
)
def test_an_index_of_something_else(folder, text):
    index = folder / "index.json"
    whole = index.read_bytes()
    index.write_text(text, errors="surrogatepass")
    refused = opened_or_refused(folder)
    index.write_bytes(whole)
    assert "index.json: damaged, or not of token files" in refused


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "tokenizer/../../secret", "tokenizer/..", "other.bin"])
def test_no_path_leads_out_of_the_folder(folder, name):
    index = folder / "index.json"
    whole = index.read_text()
    document = json.loads(whole)
    document["files"][name] = "0" * 64
    index.write_text(json.dumps(document))
    refused = opened_or_refused(folder)
    index.write_text(whole)
    assert "no file of this folder" in refused


@pytest.mark.parametrize("name", ["train.bin", "tokenizer/tokenizer.json", "tokenizer"])
def test_no_link_is_followed(folder, tmp_path, name):
    place = folder / name
    moved = place.rename(tmp_path / "moved")
    place.symlink_to(moved)
    refused = opened_or_refused(folder)
    place.unlink()
    moved.rename(place)
    assert f"{name}: is a link" in refused


def test_arrays_that_contradict_the_ids(folder):
    for name, array in {
        "train_starts.npy": lambda starts: starts[::-1],
        "held_out_starts.npy": lambda starts: starts + 1,
        "train_domain.npy": lambda domain: domain - 1,
        "held_out_domain.npy": lambda domain: domain + 1,
    }.items():
        whole = (folder / name).read_bytes()
        changed = array(np.load(folder / name))
        np.save(folder / name, changed)
        assert name in opened_or_refused(folder)
        np.save(folder / name, np.array([{"a": 1}]), allow_pickle=True)
        assert name in opened_or_refused(folder)
        (folder / name).write_bytes(whole)


def test_what_is_a_token_folder(folder, tmp_path):
    assert is_token_folder(folder)
    assert is_token_folder(str(folder))
    assert not is_token_folder(tmp_path)
    assert not is_token_folder(tmp_path / "none")
    assert not is_token_folder(folder / "train.bin")
    (tmp_path / "index.json").write_text('{"format": "other"}')
    assert not is_token_folder(tmp_path)
    with pytest.raises(InputError, match="no folder of token files"):
        open_token_files(tmp_path / "none")
