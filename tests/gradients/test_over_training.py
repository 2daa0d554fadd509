"""What only several checkpoints say, against slow and obvious ways: which can be compared, and when layers halved."""

import math

import numpy as np
import pytest
from gradient_records import STEPS, as_proxy, over, part, record, records, with_parameters

from zerosum.errors import InputError
from zerosum.gradients.over_training import agreement_by_layer, cells, halving
from zerosum.gradients.over_training._halving import layers_in_D_grad


def by_searching(step, value):
    """Half of the largest value on a fine grid of the interpolated curve."""
    top = int(np.argmax(value))
    grid = np.geomspace(step[top], step[-1], 400_001)
    curve = np.interp(np.log(grid), np.log(step), value)
    below = np.nonzero(curve <= value[top] / 2)[0]
    return grid[below[0]] if len(below) else math.nan


@pytest.mark.parametrize("seed", range(5))
def test_halving_is_where_the_interpolated_curve_first_comes_down_to_half(seed):
    rng = np.random.default_rng(seed)
    step = np.unique(np.round(np.geomspace(1, 5000, 12)))
    value = np.clip(0.9 * step**-0.2 + rng.normal(0, 0.08, len(step)), 0.01, None)
    found = halving(step, value)
    assert found.step == pytest.approx(by_searching(step, value), rel=1e-4)
    assert found.low <= found.step <= found.high


def test_halving_depends_neither_on_the_unit_nor_on_gaps():
    step, value = np.array([0.0, 1, 4, 16, 64]), np.array([0.6, 0.8, np.nan, 0.5, 0.1])
    found = halving(step, value)
    assert halving(step, 3 * value).step == pytest.approx(found.step)
    assert (found.low, found.high, found.largest) == (16.0, 64.0, 0.8)
    kept = np.isfinite(value)
    assert halving(step[kept], value[kept]) == found


def test_halving_before_the_first_step_is_said_to_be_at_its_end():
    found = halving(np.array([0.0, 8.0]), np.array([0.8, 0.1]))
    assert (found.step, found.low, found.high) == (8.0, 0.0, 8.0)


@pytest.mark.parametrize("value", [[0.8, 0.7, 0.5], [0.1, 0.2, 0.8], [np.nan] * 3, [0.0, 0.0, 0.0], [0.8, 0.41, 0.7]])
def test_what_does_not_halve_has_no_step(value):
    assert not halving(np.array([1.0, 2, 4]), np.array(value)).within


def test_layers_are_ordered_by_when_they_halved():
    checkpoints = records()
    layers = agreement_by_layer(over(checkpoints).main)
    assert [one.layer for one in layers] == [*(f"model.layers.{k}" for k in (5, 4, 3, 2, 1, 0)), "model.norm"]
    assert [one.depth for one in layers] == [5, 4, 3, 2, 1, 0, 6]
    assert layers[-1].halved.within is False
    D = next(layer.D_grad for layer in checkpoints[0].layers if layer.name == "model.layers.5")
    assert layers[0].agreement[0] == 1 - D


def test_a_layer_that_is_tied_to_others_is_kept():
    """Only layers of nothing but embedding and head are left out."""
    made = record(1)
    embedding = part("model.layers.0.embed.weight", "embedding", 4096, 0.2)
    one = with_parameters(made, [embedding, *made.parameters[1:]])
    assert "model.layers.0" in layers_in_D_grad(one)
    assert "lm_head" not in layers_in_D_grad(one)
    kept = next(layer for layer in made.layers if layer.name == "model.embed_tokens")
    beside = over([one]).last
    object.__setattr__(beside, "layers", (*one.layers, kept))
    assert "model.embed_tokens" in layers_in_D_grad(beside)  # nothing in it is known to be one of them


def test_numbered_modules_are_one_type_with_the_mean_over_their_coordinates():
    given = [(100, 0.5, 1.0, 4.0), (300, 0.9, 2.0, 2.0), (0, math.nan, 0.0, 0.0)]

    def experts(*reasons):
        parts = []
        for k, (touched, D, net, mass) in enumerate(given):
            one = part(f"h.0.mlp.experts.{k}.up.weight", "matrix", 400, D, touched=touched)
            sums = one.sums.__class__(0.0, touched, 400, 0, net, mass, 0.0)
            parts.append(one.__class__(one.name, one.kind, sums, D, math.nan, None, reasons[k] if reasons else None))
        return with_parameters(record(1), parts)

    (cell,) = cells(experts())
    assert (cell.layer, cell.type, cell.n, cell.numel) == ("h.0", "mlp.experts.*.up", 3, 1200)
    assert cell.D_grad.value == pytest.approx((100 * 0.5 + 300 * 0.9) / 400)
    assert cell.C_g.value == pytest.approx(0.5)
    given[0] = (100, math.nan, 1.0, 4.0)
    (cell,) = cells(experts("a sample keeps none", None, None))
    assert (cell.D_grad.known, cell.D_grad.reason) == (False, "a sample keeps none")


def test_checkpoints_are_compared_only_with_their_own_kind_and_N():
    several = [*records(steps=(1, 2, 4)), *records(steps=(8, 16), N=512)]
    several += map(as_proxy, records(steps=(1, 2, 4, 8, 16)))
    found = over(several)
    assert [(one.is_proxy, one.N, len(one.checkpoints)) for one in found.comparable] == [
        (False, 20_000, 3),
        (True, 20_000, 5),
        (False, 512, 2),
    ]
    assert (found.main.is_proxy, found.main.N) == (False, 20_000)
    assert [one.step for one in found.left_out] == [1, 2, 4, 8, 8, 16, 16]
    assert (found.last.step, found.last.method, found.last.N) == (16, "exact", 512)


def test_checkpoints_are_in_order_and_at_least_one():
    assert [one.step for one in over(records()[::-1]).checkpoints] == list(STEPS)
    with pytest.raises(InputError, match="no checkpoint with per-token gradients"):
        over([])


def test_what_intervals_resample_is_said_of_all_checkpoints_together():
    assert over(records(steps=(1, 4))).units == "sequence"
    assert over(records(steps=(1, 4), units="document")).units == "document"
    assert over([record(1), record(4, units="document")]).units == "text"
