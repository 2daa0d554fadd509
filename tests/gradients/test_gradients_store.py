"""The store of gradient measurements as xarray shows it."""

import json
from pathlib import Path

import numpy as np
import pytest
from test_first_order import random_update
from tiny_models import tiny

import zerosum
from zerosum.errors import InputError
from zerosum.gradients import open_gradients
from zerosum.gradients._store import measured, require_store, write
from zerosum.tokens import TokenSequences

HOW = {"method": "exact"}


@pytest.fixture
def sequences(tokens):
    ids = tokens.numpy()
    return TokenSequences(ids, np.arange(len(ids)), ("a", "b", "c"))


def put(path, step, sequences, *, family="llama", updated=True):
    model = tiny(family)
    found = zerosum.gradient_interference(model, sequences.ids, random_update(model) if updated else None)
    document = {"source": "x", "step": step, "tokens_seen": None} | found.to_json()
    write(path, found, sequences, document, HOW)
    return found, document


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
    assert measured(tmp_path / "s", 4, HOW) == json.loads(json.dumps(document))
    assert measured(tmp_path / "s", 4, {"method": "sampled"}) is None
    assert measured(tmp_path / "s", 5, HOW) is None


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
