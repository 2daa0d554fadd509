"""Passes in bfloat16: close to float32 by what they say of themselves, and nothing is left changed."""

import numpy as np
import pytest
import torch
from test_exact import FAMILIES
from test_first_order import random_update
from tiny import moved_model

import zerosum
from zerosum.errors import InputError
from zerosum.gradients._exact import exact_sums, layout_of
from zerosum.gradients._oracle import oracle_sums
from zerosum.gradients._precision import COMPARED, dtype_error, narrow

ROUNDING = 2.0**-8  # of a bfloat16 number


def relative(found, expected):
    gap = sum(float((found[name] - one).square().sum()) for name, one in expected.items())
    return (gap / sum(float(one.square().sum()) for one in expected.values())) ** 0.5


@pytest.mark.parametrize("tied", [True, pytest.param(False, marks=pytest.mark.long)])
@pytest.mark.parametrize("family", FAMILIES)
def test_sums_are_off_by_rounding_and_by_no_more(family, tied, tokens):
    model = moved_model(family, tied=tied).float()
    wide, layout = oracle_sums(model, tokens), layout_of(model, tokens)
    with narrow(model, "bfloat16"):
        rounded, found = oracle_sums(model, tokens), exact_sums(model, tokens, layout=layout)
    for which in ("mass", "net"):
        plain, ours = (relative(getattr(one, which), getattr(wide, which)) for one in (rounded, found))
        assert 0 < ours < 2 * plain  # no worse than the model's own passes in bfloat16
    assert relative(found.mass, wide.mass) < 4 * ROUNDING
    assert all(value.dtype == torch.float64 for value in found.mass.values())
    assert not any("forward" in module.__dict__ for module in model.modules())
    again = oracle_sums(model, tokens)
    assert all(torch.equal(again.mass[name], value) for name, value in wide.mass.items())


def test_the_error_is_that_of_a_few_tokens(tokens):
    model = moved_model("llama").float()
    found = dtype_error(model, tokens, "bfloat16")
    assert found.tokens == COMPARED
    assert ROUNDING / 10 < found.gradients < 20 * ROUNDING
    assert 0 < found.norm_l1 < 10 * ROUNDING
    assert 0 < abs(found.D_grad) < 10 * ROUNDING


@pytest.mark.parametrize("method", ["exact", "sampled", "positionwise", "general"])
def test_a_measurement_says_what_bfloat16_changes(method):
    model = moved_model("llama", num_hidden_layers=1).float()
    tokens = torch.randint(0, 30, (24, 17), generator=torch.Generator().manual_seed(5))
    update = random_update(model)
    wide, found = (
        zerosum.gradient_interference(model, tokens, update, method=method, n_sampled=96, dtype=dtype)
        for dtype in ("float32", "bfloat16")
    )
    assert (wide.dtype, found.dtype, wide.dtype_error) == ("float32", "bfloat16", None)
    np.testing.assert_array_equal(found.changes, wide.changes)  # these are not narrowed
    document = found.to_json()
    assert set(document["dtype_error"]) == {"tokens", "gradients", "norm_l1", "D_grad"}
    name = "D_grad" if method != "positionwise" else "C_uG"
    assert 0 < abs(getattr(found, name) / getattr(wide, name) - 1) < 10 * ROUNDING
    assert "dtype_error" not in wide.to_json()


@pytest.mark.parametrize(
    ("dtype", "width", "words"), [("int8", "float", "not offered"), ("bfloat16", "double", "float64")]
)
def test_precisions_that_are_not_offered(dtype, width, words, tokens):
    with pytest.raises(InputError, match=words):
        zerosum.gradient_interference(getattr(moved_model("llama"), width)(), tokens, dtype=dtype)
