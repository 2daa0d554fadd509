"""Published reference measurements of one real optimizer step of a 100k model, early and late in training."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from zerosum.gradients._exact import exact_sums
from zerosum.gradients._first_order import first_order
from zerosum.gradients._numbers import first_order_numbers, opposition
from zerosum.gradients._parameters import trainable


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
    tied, numbers = expected["tied"], first_order_numbers(changes, found.mass)
    assert found.C_g == pytest.approx(tied["C_g"], rel=1e-5)
    assert found.C_uG == pytest.approx(tied["C_uG"], rel=1e-5)
    assert (numbers.C_ug, numbers.D, numbers.M) == pytest.approx(
        (tied["C_ug"], tied["D_first_order"], tied["M_first_order"]), rel=1e-5
    )
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
