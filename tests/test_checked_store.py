"""A file that is missing or has changed is named, whichever it is; the manifest is one of them."""

import hashlib
import json
import shutil
import subprocess

import numpy as np
import pytest
import xarray as xr
from flips import FLIPS, outcomes
from zarr.storage import LocalStore

from zerosum import checked_store
from zerosum.checked_store import CheckedStore, open_checked
from zerosum.errors import Damaged, InputError


def blame(folder, what):
    return Damaged(folder, what, "Measure again.")


def read(folder):
    return open_checked(CheckedStore(folder, blame)).load()


@pytest.fixture
def folder(tmp_path):
    loss = np.random.default_rng(0).normal(size=(3, 40, 50)).astype(np.float32)
    store = xr.Dataset(
        {"loss": (("checkpoint", "sequence", "position"), loss)},
        {"step": ("checkpoint", [1, 2, 4])},
        {"unit": "nats", "format": checked_store.FORMAT},
    )
    store.to_zarr(LocalStore(tmp_path / "s"), consolidated=False, encoding={"loss": {"chunks": (1, 20, 50)}})
    checked_store.seal(tmp_path / "s")
    return tmp_path / "s"


def test_single_bit_flips(folder):
    counts = outcomes(folder, lambda: read(folder))
    assert counts == {"named": FLIPS, "harmless": 0, "wrong": 0}


def test_missing_files(folder):
    whole = read(folder)
    for file in [file for file in folder.rglob("*") if file.is_file()]:
        content = file.read_bytes()
        file.unlink()
        if file.parent == folder:
            with pytest.raises(InputError, match=r"zarr.json is missing"):
                read(folder)
        else:
            with pytest.raises(InputError, match=f"{file.relative_to(folder)} is missing"):
                read(folder)
        file.write_bytes(content)
    assert read(folder).identical(whole)


def test_only_what_is_read_is_hashed(folder):
    (folder / "loss" / "c" / "2" / "1" / "0").write_bytes(b"")
    store = open_checked(CheckedStore(folder, blame))
    assert np.isfinite(store["loss"][0]).all()
    with pytest.raises(InputError, match="loss/c/2/1/0 has changed since it was written"):
        store["loss"][2].load()
    assert checked_store.damage(folder, blame).what.startswith("loss/c/2/1/0 has changed")


def test_the_manifest_is_what_sha256sum_reads(folder):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    command = ["sha256sum", "-c", "--strict", checked_store.MANIFEST]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    (folder / "zarr.json").write_text("{}")
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "zarr.json: FAILED" in done.stdout


@pytest.mark.filterwarnings("error")
def test_others_open_it_as_plain_zarr(folder):
    opened = xr.open_zarr(LocalStore(folder, read_only=True), consolidated=False, chunks=None)
    assert list(opened) == ["loss"]


def test_attributes_and_manifest_fit_at_any_moment(folder, monkeypatch):
    """After each file that is written the store opens, with the attributes of before or after."""
    digests = {file: [digest] for file, (digest, *_) in checked_store.read_manifest(folder, blame).items()}
    digests.pop(checked_store.METADATA)
    real, seen = checked_store.write_text, []

    def look(path, text):
        real(path, text)
        seen.append(read(folder).attrs.get("complete"))

    monkeypatch.setattr(checked_store, "write_text", look)
    checked_store.write_attributes(folder, {"complete": True}, digests)
    assert seen == [None, True, True]
    assert len(checked_store.read_manifest(folder, blame)[checked_store.METADATA]) == 1


def test_attributes_that_change_while_a_reader_opens_the_store(folder):
    store = CheckedStore(folder, blame)
    digests = {file: {digest} for file, (digest, *_) in checked_store.read_manifest(folder, blame).items()}
    checked_store.write_attributes(folder, {"complete": True}, {**digests})
    assert open_checked(store).attrs["complete"] is True


def test_stores_of_format_1_and_of_later_formats(folder):
    (folder / checked_store.MANIFEST).unlink()
    metadata = json.loads((folder / "zarr.json").read_text())
    for stated, words in ((2, "SHA256SUMS is missing"), (3, "store format 3, but this version reads 1 and 2")):
        metadata["attributes"]["format"] = stated
        (folder / "zarr.json").write_text(json.dumps(metadata))
        with pytest.raises(InputError, match=words):
            read(folder)
    del metadata["attributes"]["format"]
    (folder / "zarr.json").write_text(json.dumps(metadata))
    assert read(folder).attrs == {"unit": "nats"}
    assert checked_store.damage(folder, blame) is None
    assert checked_store.read_attributes(folder, blame) == {"unit": "nats"}


def test_a_manifest_with_a_right_checksum_and_wrong_lines(folder):
    rest = b"not a digest  loss/zarr.json\n"
    first = f"# zerosum store format 2, sha256 of the lines below: {hashlib.sha256(rest).hexdigest()}\n"
    (folder / checked_store.MANIFEST).write_bytes(first.encode() + rest)
    with pytest.raises(InputError, match="SHA256SUMS has changed"):
        read(folder)
