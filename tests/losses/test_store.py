"""The store of per-token losses: labelled, made once, refused where it is something else."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import zerosum
from zerosum.checkpoints import open_run
from zerosum.losses import HeldOut, StepLosses, measure_losses

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

S, T, VOCABULARY = 5, 7, 31


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    config = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    for step in (0, 1, 2):
        torch.manual_seed(step)
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=VOCABULARY, **config))
        model.save_pretrained(folder / f"checkpoint-{step}")
    return open_run(folder)


@pytest.fixture(scope="module")
def held_out():
    tokens = np.random.default_rng(0).integers(0, VOCABULARY, (S, T + 1))
    return HeldOut(tokens, np.array([0, 0, 1, 2, 2]), ("a", "a", "b", "c", "c"), sha256="tokens")


class Measuring:
    """A stand-in for the real optimizer step that counts how often it is asked."""

    def __init__(self):
        self.steps = []

    def __call__(self, checkpoint, tokens):
        self.steps.append(checkpoint.step)
        batch = np.full((2, T), checkpoint.step, dtype=np.float32)
        return StepLosses(batch, batch + 1, np.full((S, T), 9, dtype=np.float32))


def test_labelled_and_measured_once(run, held_out):
    done, measuring = [], Measuring()
    store = measure_losses(run, held_out, measuring, done.append)
    assert done == [0, 1, 2]
    assert measuring.steps == [1, 2]
    assert store["loss"].dims == ("checkpoint", "sequence", "position")
    assert store["loss"].shape == (3, S, T)
    np.testing.assert_array_equal(store["token"], held_out.tokens[:, 1:])
    np.testing.assert_array_equal(store["document"], held_out.document_index)
    assert np.isnan(store["loss_after_step"].isel(checkpoint=0)).all()
    assert (store["batch_loss_after_step"] - store["batch_loss"]).isel(checkpoint=2).values.tolist() == [[1.0] * T] * 2
    again = measure_losses(run, held_out, measuring, done.append)
    assert measuring.steps == [1, 2]
    np.testing.assert_array_equal(again["loss"], store["loss"])


def test_other_tokens_or_weights_are_measured_again(run, held_out):
    measuring = Measuring()
    measure_losses(run, held_out, measuring, lambda step: None)
    asked = len(measuring.steps)
    other = HeldOut(held_out.tokens[:, ::-1].copy(), held_out.document_index, held_out.document, sha256="other")
    store = measure_losses(run, other, measuring, lambda step: None)
    assert len(measuring.steps) == asked + 2
    assert store.attrs["data_sha256"] == "other"


def empty_folder(store):
    shutil.rmtree(store)
    store.mkdir()


def plain_file(store):
    shutil.rmtree(store)
    store.write_text("in the way")


def chunks(store, name):
    return sorted(path for path in (store / name / "c").rglob("*") if path.is_file())


DAMAGES = {
    "no metadata": lambda store: (store / "zarr.json").unlink(),
    "garbage metadata": lambda store: (store / "zarr.json").write_text("{not JSON"),
    "other metadata": lambda store: (store / "zarr.json").write_text('{"zarr_format": 3, "node_type": 7}'),
    "garbage metadata of one variable": lambda store: (store / "loss" / "zarr.json").write_bytes(b"\xff\x00"),
    "a variable lost": lambda store: shutil.rmtree(store / "batch_loss"),
    "garbage chunk": lambda store: chunks(store, "loss")[1].write_bytes(b"garbage"),
    "torn chunk": lambda store: chunks(store, "batch_loss")[-1].write_bytes(b""),
    "lost chunk": lambda store: chunks(store, "loss_after_step")[-1].unlink(),
    "lost steps": lambda store: [chunk.unlink() for chunk in chunks(store, "step")],
    "empty folder": empty_folder,
    "plain file": plain_file,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_is_measured_again(run, held_out, damage):
    whole = measure_losses(run, held_out, Measuring(), lambda step: None).load()
    damage(run.measured / "losses.zarr")
    measuring = Measuring()
    again = measure_losses(run, held_out, measuring, lambda step: None)
    assert measuring.steps == [1, 2]
    xr.testing.assert_identical(again.load(), whole)
    measure_losses(run, held_out, measuring, lambda step: None)
    assert measuring.steps == [1, 2]


@pytest.mark.parametrize("name", ["a::b", "~", "memory:"])
def test_a_path_is_only_a_path(run, held_out, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run.path, Path(name), ignore=shutil.ignore_patterns("zerosum"))
    store = measure_losses(open_run(name), held_out, Measuring(), lambda step: None)
    assert (tmp_path / name / "zerosum" / "losses.zarr" / "zarr.json").is_file()
    assert store["step"].values.tolist() == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_leaves_nothing_half_written(run, held_out):
    def broken(checkpoint, tokens):
        raise RuntimeError("out of memory")

    fresh = HeldOut(held_out.tokens, held_out.document_index, held_out.document, sha256="fresh")
    before = sorted(path.name for path in run.measured.iterdir()) if run.measured.exists() else []
    with pytest.raises(RuntimeError, match="out of memory"):
        measure_losses(run, fresh, broken, lambda step: None)
    assert (sorted(path.name for path in run.measured.iterdir()) if run.measured.exists() else []) == before


def test_not_a_store(tmp_path):
    with pytest.raises(zerosum.InputError, match=r"not a store of losses"):
        zerosum.open_store(tmp_path / "nothing.zarr")
    (tmp_path / "text.zarr").write_text("no")
    with pytest.raises(zerosum.InputError, match=r"text.zarr: not a store of losses"):
        zerosum.open_store(tmp_path / "text.zarr")
