"""Stores of losses: damage is named and measured anew; stores of format 1 open, and get checksums when continued."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
import zarr
from flips import FLIPS, flipped, outcomes
from stores import STEPS, run, small_pieces, tokens
from zarr.storage import LocalStore

import zerosum
from zerosum import checked_store
from zerosum.interference.labelled import measure_store
from zerosum.losses import measure_losses
from zerosum.losses._piece import Pieces

pytest.importorskip("torch")
pytest.importorskip("transformers")

__all__ = ["run", "small_pieces", "tokens"]

pytestmark = pytest.mark.usefixtures("small_pieces")


def codes(store):
    return [problem["code"] for problem in store.attrs["problems"]]


def write_format_1(path, run, tokens, losses):
    """A complete store exactly as version 0.1.0 wrote it before it had checksums."""
    xr.Dataset(
        coords={
            "step": ("checkpoint", np.array(STEPS, dtype=np.int64)),
            "tokens_seen": ("checkpoint", [0.0, np.nan, np.nan]),
            "token": (("sequence", "position"), tokens.ids[:, 1:].astype(np.int32)),
            "first_token": ("sequence", tokens.ids[:, 0].astype(np.int32)),
            "document": ("sequence", tokens.document.astype(np.int32)),
            "domain": ("sequence", tokens.domain),
        },
        attrs={
            "unit": "nats per token",
            "dtype": "float32",
            "model": None,
            "data_sha256": tokens.sha256,
            "documents": list(tokens.documents),
            "domains": list(tokens.domains),
            "tokens": tokens.options,
            "tokenizer": None,
            "tokenizer_path": None,
            "tokenizer_sha256": None,
            "versions": {"zerosum": "0.1.0", "torch": "2.13.0", "transformers": "4.57.0", "numpy": "2.4.0"},
            "weight_sha256": [checkpoint.weight_hash() for checkpoint in run.checkpoints],
            "complete": False,
            "problems": [],
        },
    ).to_zarr(LocalStore(path), mode="w", consolidated=False)
    group = zarr.open_group(LocalStore(path), mode="r+")
    array = group.create_array(
        "loss",
        shape=losses.shape,
        chunks=(1, 2, losses.shape[2]),
        dtype="float32",
        fill_value=float("nan"),
        dimension_names=("checkpoint", "sequence", "position"),
    )
    with zarr.config.set({"array.write_empty_chunks": True}):
        array[:] = losses
    noticed = {"noise_floor": 1e-7, "noise_floor_of_checkpoint": [1e-7] * len(STEPS), "vocab_size": 31}
    group.attrs.update(noticed | {"problems": [], "complete": True})


def test_single_bit_flips_are_named_or_harmless(run, tokens, tmp_path):
    measure_losses(tmp_path / "store", run.checkpoints, tokens)
    counts = outcomes(tmp_path / "store", lambda: zerosum.open_store(tmp_path / "store").load())
    assert counts == {"named": FLIPS, "harmless": 0, "wrong": 0}


def test_flipped_losses_are_measured_anew_and_a_store_flipped_elsewhere_as_a_whole(run, tokens, tmp_path):
    path = tmp_path / "store"
    whole = measure_losses(path, run.checkpoints, tokens).load()
    chunks = 0
    for file in flipped(path, number=0, seed=1):
        name = file.relative_to(path).as_posix()
        with pytest.raises(zerosum.InputError, match="Start the same zerosum losses command again: it measures"):
            zerosum.open_store(path).load()
        is_chunk = (path / "loss" / "c") in file.parents
        if not is_chunk and name not in ("zarr.json", "loss/SHA256SUMS", "token/c/0/0"):
            continue
        measured = []
        again = measure_losses(path, run.checkpoints, tokens, on_piece=lambda *news: measured.append(news))  # noqa: B023
        (problem,) = again.attrs["problems"]
        assert problem["code"] == "measured-again"
        assert f"({name} has changed since it was written)" in problem["message"]
        assert len(measured) == (1 if is_chunk else 9)
        assert problem["steps"] == ((STEPS[int(file.parts[-3])],) if is_chunk else ())
        assert zerosum.open_store(path).load().identical(whole)
        chunks += is_chunk
        if not is_chunk:
            aside = tmp_path / "store.damaged"
            assert (aside / name).read_bytes() != file.read_bytes()
            shutil.rmtree(aside)
    assert chunks == 9


def test_a_chunk_that_is_missing_from_a_complete_store(run, tokens, tmp_path):
    """Format 1 has no list of its files, and zarr reads a missing chunk as NaN."""
    whole = measure_losses(tmp_path / "new", run.checkpoints, tokens).load()
    write_format_1(tmp_path / "old", run, tokens, whole["loss"].values)
    for name in ("new", "old"):
        (tmp_path / name / "loss" / "c" / "1" / "2" / "0").unlink()
        with pytest.raises(zerosum.InputError, match=rf"{name}: damaged: loss/c/1/2/0 is missing\. Start the same"):
            measure_store(zerosum.open_store(tmp_path / name), "0:1,1:2")
        again = measure_losses(tmp_path / name, run.checkpoints, tokens)
        assert [(p["code"], p["steps"]) for p in again.attrs["problems"]] == [("measured-again", (STEPS[1],))]
        xr.testing.assert_identical(again.load().drop_attrs(), whole.drop_attrs())


def test_damaged_stores_that_are_in_use_stay_where_they_are(run, tokens, tmp_path):
    path = tmp_path / "store"
    measure_losses(path, run.checkpoints, tokens)
    (path / "zarr.json").write_text("{}")
    pieces = Pieces(path)
    pieces.job.open()
    with pieces.job.claim("0-0"), pytest.raises(zerosum.InputError, match="while another process measures into it"):
        measure_losses(path, run.checkpoints, tokens)
    assert (path / "zarr.json").read_text() == "{}"
    for name in ("store.damaged", "store.damaged1"):
        measure_losses(path, run.checkpoints, tokens)
        (path / "zarr.json").write_text("{}")
        assert (tmp_path / name).is_dir()


def test_a_store_that_is_still_measured_is_checked_too(run, tokens, tmp_path):
    def stop(done, total, step):
        if done == 4:
            raise KeyboardInterrupt

    path = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        measure_losses(path, run.checkpoints, tokens, on_piece=stop)
    store = zerosum.open_store(path).load()
    assert np.isfinite(store["loss"][0].values[tokens.predicted]).all()
    assert store.attrs["complete"] is False
    assert outcomes(path, lambda: zerosum.open_store(path).load())["wrong"] == 0
    chunk = path / "loss" / "c" / "0" / "2" / "0"
    chunk.write_bytes(chunk.read_bytes()[::-1])
    with pytest.raises(zerosum.InputError, match="loss/c/0/2/0 has changed since it was written"):
        zerosum.open_store(path).load()
    measured = []
    again = measure_losses(path, run.checkpoints, tokens, on_piece=lambda done, *_: measured.append(done))
    assert measured == [4, 5, 6, 7, 8, 9]
    assert codes(again) == ["measured-again"]
    assert codes(zerosum.open_store(path)) == []


def test_format_1_opens_with_a_note_and_the_same_numbers(run, tokens, tmp_path):
    whole = measure_losses(tmp_path / "new", run.checkpoints, tokens).load()
    write_format_1(tmp_path / "old", run, tokens, whole["loss"].values)
    old = zerosum.open_store(tmp_path / "old").load()
    assert codes(old) == [checked_store.NO_CHECKSUMS]
    xr.testing.assert_identical(old.drop_attrs(), whole.drop_attrs())
    assert "no-checksums" not in str(whole.attrs)
    text = " ".join(problem.sentence for problem in measure_store(old, "consecutive").problems)
    assert "Start the same zerosum losses command again: it adds them" in text


def test_format_1_gets_checksums_when_it_is_continued(run, tokens, tmp_path):
    whole = measure_losses(tmp_path / "new", run.checkpoints, tokens).load()
    write_format_1(tmp_path / "old", run, tokens, whole["loss"].values)
    measured = []
    again = measure_losses(tmp_path / "old", run.checkpoints, tokens, on_piece=lambda *news: measured.append(news))
    assert not measured
    assert codes(again) == []
    xr.testing.assert_identical(again.load().drop_attrs(), whole.drop_attrs())
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]  # noqa: PTH208
    counts = outcomes(tmp_path / "old", lambda: zerosum.open_store(tmp_path / "old").load())
    assert counts["wrong"] == counts["harmless"] == 0


def test_checkpoints_are_added_to_format_1(run, tokens, tmp_path):
    whole = measure_losses(tmp_path / "new", run.checkpoints, tokens).load()
    write_format_1(tmp_path / "old", run, tokens, whole["loss"].values)
    more = [*run.checkpoints, replace(run.checkpoints[1], step=7)]
    store = measure_losses(tmp_path / "old", more, tokens).load()
    assert store["step"].values.tolist() == [*STEPS, 7]
    np.testing.assert_array_equal(store["loss"][:3], whole["loss"])
    assert codes(store) == ["identical-weights"]
