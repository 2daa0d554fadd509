"""The store of gradient measurements as xarray shows it."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from test_first_order import random_update
from tiny import moved_model

import zerosum
from zerosum.errors import InputError
from zerosum.gradients import Verified, open_gradients, read_gradients
from zerosum.gradients._store import measured, require_store, write
from zerosum.tokens import TokenSequences

HOW = {"method": "exact"}


@pytest.fixture
def sequences(tokens):
    ids = tokens.numpy()
    return TokenSequences(ids, np.arange(len(ids)), ("a", "b", "c"))


def edit(path, step, change):
    """Change the attributes of a checkpoint by hand, and take away the checksums, as in a store of format 1."""
    file = path / f"step-{step}" / "zarr.json"
    (path / f"step-{step}" / "loss" / "SHA256SUMS").unlink(missing_ok=True)
    group = json.loads(file.read_text())
    attributes = {name: value for name, value in group["attributes"].items() if name != "format"}
    file.write_text(json.dumps(group | {"attributes": change(attributes)}))


@cache
def measurement(ids, shape, family, updated):
    """Gradients of a tiny model. ids: the bytes of int64 tokens, so that equal tokens are measured once."""
    model, tokens = moved_model(family), np.frombuffer(ids, np.int64).reshape(shape)
    return zerosum.gradient_interference(model, tokens.copy(), random_update(model) if updated else None)


def put(path, step, sequences, *, family="llama", updated=True):
    ids = sequences.ids.astype(np.int64)
    found = replace(measurement(ids.tobytes(), ids.shape, family, updated), source="x", step=step)
    write(path, found, sequences, HOW)
    return found, found.to_json()


def test_checkpoints_stand_in_order_of_their_steps(tmp_path, sequences):
    made = {step: put(tmp_path / "s", step, sequences, updated=step > 9) for step in (10, 9, 200)}
    store = open_gradients(tmp_path / "s")
    assert store["step"].to_numpy().tolist() == [9, 10, 200]
    assert store.attrs["documents"] == [made[step][1] for step in (9, 10, 200)]
    assert store["first_order"].dims == ("checkpoint", "sequence", "position")
    assert np.isnan(store["first_order"].to_numpy()[0]).all()  # no update was given
    np.testing.assert_array_equal(store["first_order"].to_numpy()[1], made[10][0].changes)
    np.testing.assert_array_equal(store["norm_l1"].to_numpy()[2], made[200][0].per_token["norm_l1"])
    one = store.sel(parameter="model.layers.0.mlp.up_proj.weight")
    assert (one["kind"].item(), one["layer"].item()) == ("matrix", "model.layers.0")
    expected = next(p for p in made[9][0].parameters if p.name.endswith("layers.0.mlp.up_proj.weight"))
    assert float(one["D_grad"][0]) == expected.D_grad
    assert open_gradients(tmp_path / "s", [10])["step"].to_numpy().tolist() == [10]


def test_one_checkpoint_has_the_same_dimensions(tmp_path, sequences):
    put(tmp_path / "s", 4, sequences)
    assert dict(open_gradients(tmp_path / "s")["loss"].sizes) == {"checkpoint": 1, "sequence": 3, "position": 12}


def test_what_was_measured_in_another_way_does_not_hold(tmp_path, sequences):
    _, document = put(tmp_path / "s", 4, sequences)
    assert measured(tmp_path / "s", 4, HOW).to_json() == json.loads(json.dumps(document))
    assert measured(tmp_path / "s", 4, {"method": "sampled"}) is None
    assert measured(tmp_path / "s", 5, HOW) is None


def test_records_are_read_as_they_were_written(tmp_path, sequences):
    made = [put(tmp_path / "s", step, sequences, updated=step > 1)[0] for step in (8, 1)][::-1]
    over = read_gradients(tmp_path / "s", "run")
    assert (over.name, [one.step for one in over.checkpoints]) == ("run", [1, 8])
    for one, expected in zip(over.checkpoints, made, strict=True):
        assert one.to_json() == expected.to_json()
        assert repr(one.parameters) == repr(expected.parameters)
        assert one.per_token.keys() == expected.per_token.keys()
        for name, values in expected.per_token.items():
            np.testing.assert_allclose(one.per_token[name], values, rtol=1e-6)
        np.testing.assert_array_equal(one.unit, np.repeat(np.arange(3)[:, None], 12, axis=1))
    assert [one.step for one in read_gradients(tmp_path / "s", steps=[8]).checkpoints] == [8]


@pytest.mark.parametrize("method", ["exact", "sampled", "positionwise"])
def test_stores_that_hold_documents_still_open(tmp_path, sequences, method):
    """As they were written before records were stored."""
    model = moved_model("llama").float()
    update = {name: one.float() for name, one in random_update(model).items()}
    found = zerosum.gradient_interference(model, sequences.ids, update, method=method, n_sampled=16)
    found = replace(found, source="x", step=4, verified=Verified(2, 1e-6, 2e-6, float("nan"), 1e-7))
    write(tmp_path / "s", found, sequences, HOW)
    older = {"document": found.to_json()}
    edit(tmp_path / "s", 4, lambda attributes: {k: v for k, v in attributes.items() if k != "record"} | older)
    found = replace(found, noise=None)  # which no document of those days had
    assert open_gradients(tmp_path / "s").attrs["documents"] == [found.to_json()]
    (one,) = read_gradients(tmp_path / "s").checkpoints
    assert one.to_json() == found.to_json()
    assert "Measure it again: zerosum gradients" in one.estimate("noise_scale").reason
    assert measured(tmp_path / "s", 4, HOW) is None  # so that the same command measures it
    assert [part.C_g for part in one.layers] == [part.C_g for part in found.layers]
    assert one.estimate("D_grad") == found.estimate("D_grad")


def test_a_record_that_is_damaged_or_foreign_is_one_line(tmp_path, sequences):
    put(tmp_path / "s", 4, sequences)
    group = json.loads((tmp_path / "s" / "step-4" / "zarr.json").read_text())
    for stored, why in (
        (group["attributes"]["record"] | {"N": "many"}, "N"),
        ({"a": 1}, "N"),
        ([], "record"),
    ):
        edit(tmp_path / "s", 4, lambda attributes, stored=stored: attributes | {"record": stored})
        with pytest.raises(InputError, match=rf"step-4: not readable.*{why}.*measure again") as error:
            read_gradients(tmp_path / "s")
        assert len(str(error.value).splitlines()) == 1
        assert measured(tmp_path / "s", 4, HOW) is None


def test_a_proxy_is_never_among_the_arrays_of_token_gradients(tmp_path, sequences):
    put(tmp_path / "s", 1, sequences)
    model = moved_model("llama")
    found = zerosum.gradient_interference(model, sequences.ids, method="positionwise")
    write(tmp_path / "s", replace(found, source="x", step=2), sequences, HOW)
    store = open_gradients(tmp_path / "s")
    assert np.isnan(store["D_grad"].to_numpy()[1]).all()
    assert np.isfinite(store["D_grad"].to_numpy()[0]).any()
    assert store["numel"].to_numpy()[0].tolist() == store["numel"].to_numpy()[1].tolist()
    assert read_gradients(tmp_path / "s").checkpoints[1].D_grad == found.D_grad


def test_stores_that_cannot_be_used_are_one_line(tmp_path, sequences):
    with pytest.raises(InputError, match="no store of gradient measurements"):
        open_gradients(tmp_path / "nothing")
    put(tmp_path / "s", 1, sequences)
    with pytest.raises(InputError, match="of steps 7"):
        open_gradients(tmp_path / "s", [7])
    others = TokenSequences(sequences.ids[:, ::-1].copy(), sequences.document, sequences.documents)
    with pytest.raises(InputError, match="other tokens"):
        put(tmp_path / "s", 2, others)
    put(tmp_path / "s", 3, sequences, family="gpt2")
    with pytest.raises(InputError, match="steps 1 and 3 are of different models"):
        open_gradients(tmp_path / "s")
    (tmp_path / "s" / "step-3" / "zarr.json").write_text("{")
    with pytest.raises(InputError, match=r"step-3: damaged"):
        open_gradients(tmp_path / "s")


@pytest.mark.parametrize("name", [".", "", "/", "..", "here/.."])
def test_a_store_has_a_name(name):
    with pytest.raises(InputError, match="not the name of a folder"):
        require_store(Path(name))


def test_a_store_is_no_folder_of_something_else(tmp_path, sequences):
    for free in ("new", "empty", "killed"):
        (tmp_path / free).mkdir()
        require_store(tmp_path / free)
    (tmp_path / "killed" / "zarr.json.part").touch()
    require_store(tmp_path / "killed")
    require_store(tmp_path / "not there")
    put(tmp_path / "new", 1, sequences)
    require_store(tmp_path / "new")
    for other in ("run", "losses.zarr"):
        (tmp_path / other).mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    (tmp_path / "losses.zarr" / "zarr.json").write_text('{"attributes": {"what": "losses"}}')
    for other in ("run", "losses.zarr"):
        with pytest.raises(InputError, match=r"something else.*not touched"):
            require_store(tmp_path / other)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="Not a directory"):
        require_store(tmp_path / "file")
    with pytest.raises(InputError, match="too long"):
        require_store(tmp_path / ("n" * 300))
