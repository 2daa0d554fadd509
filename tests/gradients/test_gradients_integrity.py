"""Stores of gradients: damage is named, and measured anew; groups of format 1 open with a note."""

import json

import numpy as np
import pytest
import xarray as xr
from flips import FLIPS, outcomes
from test_gradients_store import HOW, put, sequences  # noqa: F401 - a fixture
from zarr.storage import LocalStore

from zerosum.errors import InputError
from zerosum.gradients import open_gradients, read_gradients
from zerosum.gradients._store import measured, repair, require_store


def read(path):
    return open_gradients(path).load()


def write_format_1(path, step, document, like):
    """One checkpoint exactly as version 0.1.0 wrote it before it had checksums."""
    path.mkdir(exist_ok=True)
    what = {"what": "per-token gradient opposition by step"}
    (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": what}))
    own = like.sel(checkpoint=like["step"] == step).isel(checkpoint=0)
    names = [name for name in (*own, *own.coords) if name not in ("parameter", "kind", "layer")]
    values = {name: (own[name].dims, own[name].to_numpy(), own[name].attrs) for name in names}
    attrs = {"document": document, "how": HOW, "data_sha256": like.attrs["data_sha256"], "unit": "nats"}
    coordinates = {name: values.pop(name) for name in ("step", "tokens_seen", "token", "unit")}
    store = xr.Dataset(values, coordinates, attrs)
    store.to_zarr(LocalStore(path / f"step-{step}"), mode="w", consolidated=False)


def test_single_bit_flips_are_named_or_harmless(tmp_path, sequences):  # noqa: F811
    for step in (1, 2):
        put(tmp_path / "s", step, sequences)
    counts = outcomes(tmp_path / "s", lambda: read(tmp_path / "s"))
    assert counts["named"] == sum(counts.values()) >= FLIPS


@pytest.mark.parametrize("file", ["zarr.json", "loss/c/0/0", "first_order/zarr.json", "loss/SHA256SUMS"])
def test_a_damaged_checkpoint_is_measured_anew(tmp_path, sequences, file):  # noqa: F811
    put(tmp_path / "s", 1, sequences)
    put(tmp_path / "s", 2, sequences)
    whole = read(tmp_path / "s")
    damaged = tmp_path / "s" / "step-2" / file
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"~")
    with pytest.raises(InputError, match=r"step-2: damaged: .*the same zerosum gradients command again"):
        read(tmp_path / "s")
    assert measured(tmp_path / "s", 1, HOW) is not None
    assert measured(tmp_path / "s", 2, HOW) is None
    assert repair(tmp_path / "s", 1) is None
    assert f"its stored measurement was damaged ({file} has changed" in repair(tmp_path / "s", 2)
    _, document = put(tmp_path / "s", 2, sequences)
    assert measured(tmp_path / "s", 2, HOW).to_json() == json.loads(json.dumps(document))
    assert read(tmp_path / "s").equals(whole)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("{}")])
def test_the_file_that_all_checkpoints_share(tmp_path, sequences, damage):  # noqa: F811
    put(tmp_path / "s", 1, sequences)
    whole = read(tmp_path / "s")
    damage(tmp_path / "s" / "zarr.json")
    with pytest.raises(InputError, match=r"s: damaged: zarr.json (is missing|has changed)"):
        read(tmp_path / "s")
    require_store(tmp_path / "s")
    assert "and was written again" in repair(tmp_path / "s", 1)
    assert read(tmp_path / "s").identical(whole)
    assert repair(tmp_path / "s", 1) is None


def test_a_checkpoint_without_its_metadata_is_not_left_out_silently(tmp_path, sequences):  # noqa: F811
    for step in (1, 2):
        put(tmp_path / "s", step, sequences)
    (tmp_path / "s" / "step-2" / "zarr.json").unlink()
    with pytest.raises(InputError, match=r"step-2: damaged: zarr.json is missing"):
        read(tmp_path / "s")


def test_format_1_opens_with_a_note_and_the_same_numbers(tmp_path, sequences):  # noqa: F811
    documents = {step: put(tmp_path / "new", step, sequences)[1] for step in (1, 2)}
    new = read(tmp_path / "new")
    for step, document in documents.items():
        write_format_1(tmp_path / "old", step, document, new)
    old = read(tmp_path / "old")
    xr.testing.assert_identical(old.drop_attrs(), new.drop_attrs())
    assert new.attrs["problems"] == []
    (problem,) = old.attrs["problems"]
    assert (problem["code"], problem["steps"]) == ("no-checksums", [1, 2])
    (first, _) = read_gradients(tmp_path / "old").checkpoints
    had_noise = json.loads(json.dumps(documents[1]))
    assert {name for name, value in first.to_json().items() if value != had_noise.get(name)} == {
        *("noise_scale_reason", "D_grad_noise", "D_grad_noise_reason", "D_grad_null_unit"),
        *("D_grad_null_unit_reason", "noise", "noise_reason", "intervals"),
    }
    assert measured(tmp_path / "old", 1, HOW) is None  # no noise scale in those days, so it is measured again
    put(tmp_path / "old", 2, sequences)
    assert open_gradients(tmp_path / "old").attrs["problems"][0]["steps"] == [1]
    assert np.isfinite(old["loss"]).any()
