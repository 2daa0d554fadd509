"""The store of per-token losses: labelled, measured once, refused where it is something else."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from stores import STEPS, S, T, run, small_pieces, some_tokens, tokens
from tiny import VOCABULARY, save_checkpoint, tiny_model

import zerosum
from zerosum.checkpoints import load_model, open_run
from zerosum.losses import AroundStep, StepLosses, measure_losses, token_losses

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

__all__ = ["run", "small_pieces", "tokens"]

pytestmark = pytest.mark.usefixtures("small_pieces")


class Loading:
    """Loads models and counts how often it is asked."""

    def __init__(self):
        self.steps = []

    def __call__(self, checkpoint):
        self.steps.append(checkpoint.step)
        return load_model(checkpoint)


def test_labelled_and_measured_once(run, tokens, tmp_path):
    done, loading = [], Loading()
    path = tmp_path / "store.zarr"
    store = measure_losses(path, run.checkpoints, tokens, load=loading, on_piece=lambda *news: done.append(news))
    assert done == [(number, 9, (number - 1) // 3) for number in range(1, 10)]
    assert loading.steps == [0, 1, 2]
    assert store["loss"].dims == ("checkpoint", "sequence", "position")
    assert (store["loss"].shape, store["loss"].dtype) == ((3, S, T), np.float32)
    for index, checkpoint in enumerate(run.checkpoints):
        expected = token_losses(load_model(checkpoint), tokens.ids)
        np.testing.assert_allclose(store["loss"][index], expected, atol=1e-6)
    assert np.isnan(store["loss"].values[:, 3, 3:]).all()
    np.testing.assert_array_equal(store["token"], tokens.ids[:, 1:])
    np.testing.assert_array_equal(store["first_token"], tokens.ids[:, 0])
    np.testing.assert_array_equal(store["document"], tokens.document)
    np.testing.assert_array_equal(store["domain"], [0, 0, 1, 0, 0])
    assert {"step", "tokens_seen", "token", "first_token", "document", "domain"} == set(store.coords)
    assert store.attrs["weight_sha256"] == [checkpoint.weight_hash() for checkpoint in run.checkpoints]
    assert store.attrs["documents"] == ["a", "b", "c"]
    assert store.attrs["domains"] == ["x", "y"]
    assert store.attrs["tokens"] == {"pack": False}
    assert store.attrs["complete"] is True
    assert all(0 <= floor < 1e-6 for floor in store.attrs["noise_floor_of_checkpoint"])
    assert [one.name for one in tmp_path.iterdir()] == ["store.zarr"]
    again = measure_losses(path, run.checkpoints, tokens, load=loading)
    assert loading.steps == [0, 1, 2]
    xr.testing.assert_identical(again.load(), store.load())


def test_checkpoints_are_added_in_order(run, tokens, tmp_path):
    first, second, third = run.checkpoints
    whole = measure_losses(tmp_path / "whole", run.checkpoints, tokens).load()
    loading = Loading()
    measure_losses(tmp_path / "store", [first, third], tokens, load=loading)
    assert loading.steps == [0, 2]
    store = measure_losses(tmp_path / "store", [second], tokens, load=loading)
    assert loading.steps == [0, 2, 1]
    xr.testing.assert_identical(store.load(), whole)


def test_a_document_to_each_token(run, tmp_path):
    document = np.repeat(some_tokens().document[:, None], T, axis=1)
    document[3, 3:] = -1
    store = measure_losses(tmp_path / "store", run.checkpoints[:1], replace(some_tokens(), document=document))
    assert store["document"].dims == store["domain"].dims == ("sequence", "position")
    assert store["domain"].values[3].tolist() == [0, 0, 0, -1, -1, -1, -1]


def take_no_step(checkpoint, ids, size=2):
    batch = np.full((size, T), checkpoint.step, dtype=np.float32)
    return StepLosses(batch, batch + 1, np.full((S, T), 9, dtype=np.float32))


AROUND = AroundStep(take_no_step, batch=(2, T))


def test_around_a_step(run, tokens, tmp_path):
    store = measure_losses(tmp_path / "store", run.checkpoints, tokens, around=AROUND)
    assert np.isnan(store["loss_after_step"].isel(checkpoint=0)).all()
    assert (store["loss_after_step"].isel(checkpoint=[1, 2]) == 9).all()
    assert (store["batch_loss_after_step"] - store["batch_loss"]).isel(checkpoint=2).values.tolist() == [[1.0] * T] * 2
    assert store["batch_loss"].dims == ("checkpoint", "batch_sequence", "position")


def test_a_store_with_another_step_or_none_is_refused_or_replaced(run, tokens, tmp_path):
    checkpoints, larger = run.checkpoints[:2], AroundStep(partial(take_no_step, size=3), batch=(3, T))
    cases = [
        (None, AROUND, "without a training step"),
        (AROUND, None, r"shape \(2, 7\)"),
        (larger, AROUND, r"\(3, 7\)"),
    ]
    for number, (before, after, words) in enumerate(cases):
        path = tmp_path / f"store{number}"
        store = measure_losses(path, checkpoints, tokens, around=before).load()
        with pytest.raises(zerosum.InputError, match=words):
            measure_losses(path, checkpoints, tokens, around=after)
        xr.testing.assert_identical(zerosum.open_store(path).load(), store)
        anew = measure_losses(path, checkpoints, tokens, around=after, replace=True)
        assert set(anew) == {"loss"} if after is None else anew["batch_loss"].shape == (2, *after.batch)
        np.testing.assert_allclose(anew["loss"], store["loss"], atol=1e-6)


def test_other_tokens_weights_or_precision_are_refused(run, tokens, tmp_path):
    path = tmp_path / "store"
    store = measure_losses(path, run.checkpoints, tokens).load()
    with pytest.raises(zerosum.InputError, match=r"made with other tokens .*this one was not touched"):
        measure_losses(path, run.checkpoints, some_tokens(seed=1))
    with pytest.raises(zerosum.InputError, match="made with another --dtype"):
        measure_losses(path, run.checkpoints, tokens, dtype="bfloat16")
    other = replace(run.checkpoints[2], step=1)
    with pytest.raises(zerosum.InputError, match="made of other weights of step 1"):
        measure_losses(path, [other], tokens)
    xr.testing.assert_identical(zerosum.open_store(path).load(), store)
    assert [one.name for one in tmp_path.iterdir()] == ["store", "store.pieces"][: len(list(tmp_path.iterdir()))]
    made_anew = measure_losses(path, run.checkpoints, some_tokens(seed=1), replace=True)
    assert made_anew.attrs["data_sha256"] == some_tokens(seed=1).sha256


def test_ids_outside_the_vocabulary_leave_no_store(run, tokens, tmp_path):
    wrong = replace(tokens, ids=tokens.ids + np.where(tokens.ids >= 0, VOCABULARY, 0))
    with pytest.raises(zerosum.InputError, match=f"the model's vocabulary is 0 to {VOCABULARY - 1}"):
        measure_losses(tmp_path / "store", run.checkpoints, wrong)
    assert not list(tmp_path.iterdir())


def chunks(store, name):
    return sorted(path for path in (store / name / "c").rglob("*") if path.is_file())


TORN = {
    "garbage chunk": (lambda store: chunks(store, "loss")[1].write_bytes(b"garbage"), [0]),
    "torn chunk": (lambda store: chunks(store, "loss")[-1].write_bytes(b""), [2]),
    "lost chunk": (lambda store: chunks(store, "loss")[4].unlink(), [1]),
    "every chunk": (lambda store: shutil.rmtree(store / "loss" / "c"), [0, 1, 2]),
}
_MEASURED = {}  # the undamaged store, made by the first test that wants it


@pytest.fixture
def undamaged(run, tokens, tmp_path_factory, tmp_path):
    """A measured store of its own for each test, as a copy; its path, and what it holds."""
    if not _MEASURED:
        _MEASURED["path"] = tmp_path_factory.mktemp("measured") / "store"
        _MEASURED["whole"] = measure_losses(_MEASURED["path"], run.checkpoints, tokens).load()
    return Path(shutil.copytree(_MEASURED["path"], tmp_path / "store")), _MEASURED["whole"]


DAMAGES = {
    "no metadata": lambda store: (store / "zarr.json").unlink(),
    "garbage metadata": lambda store: (store / "zarr.json").write_text("{not JSON"),
    "other metadata": lambda store: (store / "zarr.json").write_text('{"zarr_format": 3, "node_type": 7}'),
    "garbage metadata of one variable": lambda store: (store / "loss" / "zarr.json").write_bytes(b"\xff\x00"),
    "a variable lost": lambda store: shutil.rmtree(store / "loss"),
    "lost steps": lambda store: [chunk.unlink() for chunk in chunks(store, "step")],
    "lost tokens": lambda store: [chunk.unlink() for chunk in chunks(store, "token")],
}
OTHERS = {
    "empty folder": lambda store: [shutil.rmtree(store), store.mkdir()],
    "plain file": lambda store: [shutil.rmtree(store), store.write_text("in the way")],
}


@pytest.mark.parametrize(("damage", "steps"), TORN.values(), ids=TORN)
def test_damaged_pieces_are_measured_again(run, tokens, undamaged, damage, steps):
    path, whole = undamaged
    damage(path)
    loading = Loading()
    again = measure_losses(path, run.checkpoints, tokens, load=loading)
    assert loading.steps == steps
    assert {step for problem in again.attrs["problems"] for step in problem["steps"]} == set(steps)
    xr.testing.assert_identical(zerosum.open_store(path).load(), whole)


def test_a_lost_chunk_without_padding_is_measured_again(run, tokens, tmp_path):
    full = replace(tokens, ids=np.where(tokens.ids < 0, 1, tokens.ids))
    whole = measure_losses(tmp_path / "store", run.checkpoints, full).load()
    assert np.isfinite(whole["loss"]).all()
    chunks(tmp_path / "store", "loss")[4].unlink()
    measure_losses(tmp_path / "store", run.checkpoints, full)
    xr.testing.assert_identical(zerosum.open_store(tmp_path / "store").load(), whole)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_store_is_moved_aside_and_made_anew(run, tokens, undamaged, tmp_path, damage):
    path, whole = undamaged
    damage(path)
    with pytest.raises(zerosum.InputError, match=r"store: damaged: .* Start the same zerosum losses command again"):
        zerosum.open_store(path).load()
    again = measure_losses(path, run.checkpoints, tokens)
    assert [problem["code"] for problem in again.attrs["problems"]] == ["measured-again"]
    xr.testing.assert_identical(zerosum.open_store(path).load(), whole)
    assert (tmp_path / "store.damaged").is_dir()


@pytest.mark.parametrize("damage", [*DAMAGES.values(), *OTHERS.values()], ids=[*DAMAGES, *OTHERS])
def test_what_is_no_store_is_refused_or_replaced(run, tokens, undamaged, damage):
    path, whole = undamaged
    damage(path)
    if damage in OTHERS.values():
        with pytest.raises(zerosum.InputError, match=r"not a store of losses|holds no per-token"):
            measure_losses(path, run.checkpoints, tokens)
    again = measure_losses(path, run.checkpoints, tokens, replace=True)
    xr.testing.assert_identical(again.load(), whole)


def test_a_checkpoint_that_gives_no_numbers_is_measured_once_and_said(run, tokens, tmp_path):
    def diverged(checkpoint):
        model = load_model(checkpoint)
        with torch.no_grad():
            model.lm_head.weight.fill_(float("nan"))
        loaded.append(checkpoint.step)
        return model

    loaded = []
    for _ in range(2):
        store = measure_losses(tmp_path / "store", run.checkpoints[1:2], tokens, load=diverged)
        assert loaded == [1]
    assert np.isnan(store["loss"]).all()
    assert store.attrs["noise_floor"] is None
    assert [problem["code"] for problem in store.attrs["problems"]] == ["implausible-loss"]


def test_identical_weights_are_said(run, tokens, tmp_path):
    copy = replace(run.checkpoints[1], step=7)
    store = measure_losses(tmp_path / "store", [*run.checkpoints, copy], tokens)
    problem = store.attrs["problems"][0]
    assert (problem["code"], problem["steps"]) == ("identical-weights", [1, 7])
    with pytest.raises(zerosum.InputError, match="step 1: two checkpoints"):
        measure_losses(tmp_path / "other", [run.checkpoints[1], run.checkpoints[1]], tokens)


def test_half_precision_has_a_noise_floor(tmp_path, monkeypatch):
    monkeypatch.undo()
    sizes = {"hidden_size": 192, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 2}
    save_checkpoint(tmp_path, 1, tiny_model(vocab_size=97, **sizes))
    ids = np.random.default_rng(0).integers(0, 97, (8, 33))
    tokens = replace(some_tokens(), ids=ids, document=np.zeros(8, np.int64))
    floors, losses = {}, {}
    for dtype in ("float32", "bfloat16"):
        store = measure_losses(
            tmp_path / dtype,
            open_run(tmp_path).checkpoints,
            tokens,
            load=lambda checkpoint, dtype=dtype: load_model(checkpoint, dtype=getattr(torch, dtype)),
            dtype=dtype,
        )
        floors[dtype], losses[dtype] = store.attrs["noise_floor"], store["loss"].values.astype(float)
    assert 0 < floors["float32"] < 1e-6
    assert 20 * floors["float32"] < floors["bfloat16"] < 0.1  # 16 bits fewer
    rounding = np.abs(losses["bfloat16"] - losses["float32"]).mean()
    assert floors["bfloat16"] >= rounding * (1 - 1e-6)
    assert rounding > 1e-4


@pytest.mark.parametrize("name", ["a::b", "~", "memory:"])
def test_a_path_is_only_a_path(run, tokens, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    store = measure_losses(Path(name), run.checkpoints, tokens)
    assert (tmp_path / name / "zarr.json").is_file()
    assert store["step"].values.tolist() == list(STEPS)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_keeps_what_is_done(run, tokens, tmp_path):
    def broken(checkpoint):
        if checkpoint.step == 1:
            raise RuntimeError("no such model")
        return load_model(checkpoint)

    with pytest.raises(RuntimeError, match="no such model"):
        measure_losses(tmp_path / "store", run.checkpoints, tokens, load=broken)
    store = zerosum.open_store(tmp_path / "store")
    assert store.attrs["complete"] is False
    assert np.isfinite(store["loss"].values[0][tokens.predicted]).all()
    loading = Loading()
    measure_losses(tmp_path / "store", run.checkpoints, tokens, load=loading)
    assert loading.steps == [1, 2]


def test_not_a_store(tmp_path):
    with pytest.raises(zerosum.InputError, match=r"not a store of losses"):
        zerosum.open_store(tmp_path / "nothing.zarr")
    (tmp_path / "text.zarr").write_text("no")
    with pytest.raises(zerosum.InputError, match=r"text.zarr: not a store of losses"):
        zerosum.open_store(tmp_path / "text.zarr")
