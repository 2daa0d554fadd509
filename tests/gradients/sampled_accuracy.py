"""Samples of 256 of 4,096 tokens against all of them: errors, and coverage of the 95 % intervals."""

from functools import reduce
from operator import add

import numpy as np
import torch
from test_first_order import losses_of, random_update
from tiny import VOCABULARY, moved_model
from transformers import AutoModelForCausalLM

from zerosum.gradients._exact import exact_sums, layout_of
from zerosum.gradients._numbers import beyond_rounding, opposition
from zerosum.gradients._sampled import sampled_mass
from zerosum.gradients._update import update_between
from zerosum.gradients.parameters import in_D_grad, trainable
from zerosum.training.corpora.python import PythonSettings

CASES = ("early", "late")


def random_model():
    """A model with random weights, random tokens, a random update."""
    model = moved_model("llama", num_hidden_layers=1).float()
    tokens = torch.randint(0, VOCABULARY, (128, 33), generator=torch.Generator().manual_seed(5))
    return model, tokens, random_update(model)


def trained_model(reference_data, case):
    """A model that was trained, text, and its next real update."""
    folder = reference_data / "gold" / case
    before, after = (AutoModelForCausalLM.from_pretrained(folder / which).eval() for which in ("before", "after"))
    return before, torch.as_tensor(PythonSettings().open().held_out(64, 64).ids), update_between(before, after)


def accuracy(model, tokens, update, draws):
    """Of `draws` samples of 256: errors of D_grad and relative errors of sum_ij |p_ij| [draws, 2], and whether the
    intervals hold the exact values [draws, 2]."""
    sums, parameters, layout = exact_sums(model, tokens), trainable(model), layout_of(model, tokens)
    inner = in_D_grad(parameters)
    D, mass = opposition(sums, inner).D_grad, opposition(sums, parameters, update).mass
    losses, errors, held = losses_of(model, tokens), [], []
    for seed in range(draws):
        found = sampled_mass(model, tokens, update, losses, n_tokens=256, seed=seed, layout=layout)
        opposed = found.opposition(sums.net, inner, beyond_rounding(found.kept(), inner))
        estimate, (low, high) = reduce(add, opposed.values()).D_grad(found.share)
        ends = found.moved_interval()
        errors.append((estimate - D, found.total_moved() / mass - 1))
        held.append((low <= D <= high, ends[0] <= mass <= ends[1]))
    return np.array(errors), np.array(held)


def check_accuracy(errors, held):
    """The promised error and coverage."""
    error_of_D, error_of_mass = np.sqrt(np.mean(np.square(errors), axis=0))
    assert error_of_D <= 0.005
    assert error_of_mass <= 0.04  # and so C_g, whose numerator is exact
    assert (held.mean(0) >= 0.9).all()
    assert np.abs(errors.mean(0)[0]) < 0.001
