"""Published reference measurements of one real optimizer step of a 100k model, early and late in training."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from zerosum.gradients._exact import exact_sums
from zerosum.gradients._first_order import first_order
from zerosum.gradients._numbers import opposition
from zerosum.gradients.parameters import trainable


@pytest.fixture(params=["early", "late"], scope="module")
def case(request, reference_data):
    folder = reference_data / "gold" / request.param
    before, after = (AutoModelForCausalLM.from_pretrained(folder / which).eval() for which in ("before", "after"))
    moved = dict(after.named_parameters())
    return folder, before, {one.name: (moved[one.name] - one.tensor).detach() for one in trainable(before)}


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_real_step(case, split):
    folder, model, update = case
    tokens = torch.as_tensor(np.load(folder / f"tokens_{split}.npy").astype(np.int64))
    expected = json.loads((folder / f"expected_{split}.json").read_text())
    sums, changes = exact_sums(model, tokens), first_order(model, tokens, update)
    found = opposition(sums, trainable(model), update)
    tied, q = expected["tied"], changes.double()
    assert found.C_g == pytest.approx(tied["C_g"], rel=1e-5)
    assert found.C_uG == pytest.approx(tied["C_uG"], rel=1e-5)
    moved = float(q.abs().sum())
    assert moved / found.mass == pytest.approx(tied["C_ug"], rel=1e-5)
    assert 1 - abs(float(q.sum())) / moved == pytest.approx(tied["D_first_order"], rel=1e-5)
    assert moved / q.numel() == pytest.approx(tied["M_first_order"], rel=1e-5)
    matrices = [one for one in trainable(model) if one.kind == "matrix"]
    of_matrices = opposition(sums, matrices)
    assert of_matrices.touched == expected["D_grad_coordinates"]
    assert of_matrices.D_grad == pytest.approx(expected["D_grad"], rel=1e-5)
    per_token = load_file(folder / f"per_token_{split}.safetensors")["tied.first_order"]
    assert np.abs(changes.numpy() - per_token).max() <= 1e-5 * np.abs(per_token).max()


@pytest.mark.parametrize("split", ["train", "eval"])
def test_sums_of_every_coordinate(case, split):
    folder, model, _ = case
    tokens = torch.as_tensor(np.load(folder / f"tokens_{split}.npy").astype(np.int64))
    gold = load_file(folder / f"sums_{split}.safetensors")
    sums = exact_sums(model, tokens)
    compared = 0
    for name, mass in sums.mass.items():
        key = f"sum_i_abs_g.{name}"
        if name == "model.embed_tokens.weight" or key not in gold:
            continue
        scale = np.abs(gold[key]).max()
        assert np.abs(mass.numpy() - gold[key]).max() <= 1e-4 * scale
        assert np.abs(sums.net[name].numpy() - gold[f"sum_i_g.{name}"]).max() <= 1e-4 * scale
        compared += 1
    assert compared == 21


@pytest.mark.parametrize(
    ("split", "precision"),
    [
        ("train", torch.float64),
        ("eval", torch.float32),
        pytest.param("train", torch.float32, marks=pytest.mark.long),
        pytest.param("eval", torch.float64, marks=pytest.mark.long),
    ],
)
def test_numbers_of_every_token(case, split, precision):
    """In float32 relative to the largest token: where a label is nearly certain, its small gradient is less exact."""
    folder, model, update = case
    model = copy.deepcopy(model).to(precision)
    for one in trainable(model):  # the reference has no norm weights, and the update leaves them as they are
        one.tensor.requires_grad = one.kind != "norm"
    tokens = torch.as_tensor(np.load(folder / f"tokens_{split}.npy").astype(np.int64))
    gold = load_file(folder / f"per_token_{split}.safetensors")
    found = exact_sums(model, tokens, update, per_token=True).tokens
    relative, absolute = (1e-5, 0.0) if precision == torch.float64 else (0.0, 1e-5)
    for mine, its in (
        (found.l1, gold["tied.norm_l1_gi"]),
        (np.sqrt(found.l2_squared), np.sqrt(gold["tied.norm_l2sq_gi"])),
        (sum(found.absolute.values()), gold["tied.sum_j_abs_p"]),
    ):
        np.testing.assert_allclose(mine, its, rtol=relative, atol=absolute * its.max())
    changes, expected = sum(found.signed.values()), gold["tied.first_order"]
    np.testing.assert_allclose(changes, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
